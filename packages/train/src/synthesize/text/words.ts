const set = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/).filter(Boolean));

export const prepositions: ReadonlySet<string> = set(
  `in on at by for from to with without within into onto of off over under above below between among through during
  after before since until till against across along around near behind beside beyond per via as about upon toward
  towards throughout outside inside like than despite except`,
);
export const determiners: ReadonlySet<string> = set(
  "the a an this that these those each every all both some any no our your their its his her my another either neither many most several few",
);
export const pronouns: ReadonlySet<string> = set(
  "it he she they i we you this that these those there here one everyone everything someone something nothing what who which others them us",
);
/** Words that point out of the sentence: a question that holds one means nothing to who has not read the text. */
export const pointing: ReadonlySet<string> = set(
  "it they them he she him this these those here above below following previous latter former such i me my other others another",
);
export const conjunctions: ReadonlySet<string> = set(
  "and or but nor so yet because although though while whereas if when unless whether that which who whose whom where",
);
export const months: ReadonlySet<string> = set(
  "january february march april may june july august september october november december jan feb mar apr jun jul aug sept sep oct nov dec",
);
export const weekdays: ReadonlySet<string> = set("monday tuesday wednesday thursday friday saturday sunday");
export const be: ReadonlySet<string> = set("is are was were");
export const auxiliaries: ReadonlySet<string> = set(
  "is are was were has have had can could will would must should may might shall cannot does do did isn't aren't wasn't weren't can't won't doesn't don't",
);
export const languages: ReadonlySet<string> = set(
  "english french german spanish italian latin greek arabic chinese japanese russian hebrew portuguese dutch",
);
const numberWords = set(
  "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half dozen",
);
const organisations = set(
  "inc ltd corp company university college institute school council committee party army navy church court act treaty war battle empire street road avenue lane square park river lake mountain sea ocean island bridge building library museum palace castle house tower department ministry agency association society club union league group team band orchestra bank fund award prize cup bowl festival north south east west republic kingdom states city county district province region airport station hotel hospital shop store studio records press network channel service system software server language bible constitution",
);
const firstNames = set(
  `james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony mark donald
  steven paul andrew joshua kenneth kevin brian george timothy ronald edward jason jeffrey ryan jacob gary nicholas eric
  jonathan stephen larry justin scott brandon benjamin samuel gregory frank alexander raymond patrick jack dennis jerry
  tyler aaron jose henry adam douglas nathan peter zachary kyle walter ethan jeremy harold keith christian roger noah
  gerald carl terry sean austin arthur lawrence jesse dylan bryan joe jordan billy bruce albert willie gabriel logan
  alan juan wayne roy ralph randy eugene vincent russell louis philip bobby johnny bradley mary patricia jennifer linda
  elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra ashley kimberly emily donna michelle
  carol amanda dorothy melissa deborah stephanie rebecca sharon laura cynthia kathleen amy angela shirley anna brenda
  pamela emma nicole helen samantha katherine christine debra rachel carolyn janet catherine maria heather diane ruth
  julie olivia joyce virginia victoria kelly lauren christina joan evelyn judith megan andrea cheryl hannah jacqueline
  martha gloria teresa ann sara madison frances kathryn janice jean abigail alice julia judy sophia grace denise amber
  doris marilyn danielle beverly isabella theresa diana natalie brittany charlotte marie kayla alexis lori martin luther
  isaac galileo albert marie leonardo johann wolfgang ludwig friedrich karl nikola max hans otto heinrich sigmund ivan
  vladimir leo anton pierre jacques claude francois victor emile antonio carlos pedro luis pablo miguel diego ali
  mohammed muhammad ahmed hassan ibrahim omar kim lee wei chen orla sinead tomas beyonce barack hillary bill ronald
  steve elon jeff tim ada grace alan linus dennis ken guido tom ben sam dan mike nick chris alex matt dave`,
);

export function isNumber(lower: string): boolean {
  return (
    /^[€$£]?\s?\d/.test(lower) ||
    numberWords.has(lower) ||
    /^(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)-\p{L}+$/u.test(lower)
  );
}

/** Whether a run of capitalised words looks like a person's name. */
export function isPerson(name: string): boolean {
  const words = name.trim().split(/\s+/);
  if (
    /^(?:Mr|Mrs|Ms|Dr|Sir|Lady|Lord|Pope|King|Queen|Prince|Princess|President|Saint|Professor|Emperor)\.?$/.test(
      words[0]!,
    ) &&
    words.length > 1
  )
    return true;
  if (words.some((word) => organisations.has(word.toLowerCase()))) return false;
  return (
    words.length >= 2 &&
    words.length <= 4 &&
    words.every((word) => /^\p{Lu}|^(?:von|van|de|da|of|al)$/u.test(word)) &&
    firstNames.has(words[0]!.toLowerCase())
  );
}

/** Whether a name ends in a person's: "The historian Fred Anderson". */
export function endsInPerson(subject: string): boolean {
  const name = /(?:\p{Lu}[\p{L}'’.-]+\s?){2,3}$/u.exec(subject)?.[0] ?? "";
  const words = name.split(" ");
  return isPerson(name) || (words.length === 3 && isPerson(words.slice(1).join(" ")));
}

const peopleNouns = set(
  "members customers employees people users children students visitors buyers readers parents owners guests workers scientists researchers developers women men families volunteers players teachers patients soldiers participants applicants subscribers drivers citizens residents staff",
);

/** Whether a subject in the plural is of people: "who", not "what". */
export function isPeople(subject: string): boolean {
  return peopleNouns.has(subject.split(" ").at(-1)!.toLowerCase());
}

export function isNounLike(lower: string): boolean {
  return (
    !prepositions.has(lower) &&
    !determiners.has(lower) &&
    !conjunctions.has(lower) &&
    !auxiliaries.has(lower) &&
    !/ly$/.test(lower) &&
    lower !== "not" &&
    lower !== "to"
  );
}
