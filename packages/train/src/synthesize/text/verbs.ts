// Base, past and participle of the irregular verbs that documents use.
const irregular = `become became become|begin began begun|bear bore born|bind bound bound|break broke broken|bring brought brought|
build built built|buy bought bought|catch caught caught|choose chose chosen|come came come|cost cost cost|cut cut cut|deal dealt dealt|
do did done|draw drew drawn|drive drove driven|eat ate eaten|fall fell fallen|feed fed fed|feel felt felt|fight fought fought|find found found|
fly flew flown|get got got|give gave given|go went gone|grow grew grown|have had had|hear heard heard|hold held held|keep kept kept|
know knew known|lay laid laid|lead led led|learn learnt learnt|leave left left|lend lent lent|let let let|lie lay lain|light lit lit|
lose lost lost|make made made|mean meant meant|meet met met|pay paid paid|put put put|read read read|ride rode ridden|rise rose risen|
run ran run|say said said|see saw seen|seek sought sought|sell sold sold|send sent sent|set set set|sew sewed sewn|shoot shot shot|show showed shown|
shut shut shut|sing sang sung|sit sat sat|sleep slept slept|speak spoke spoken|spend spent spent|split split split|spread spread spread|
stand stood stood|steal stole stolen|stick stuck stuck|strike struck struck|swim swam swum|take took taken|teach taught taught|tell told told|
think thought thought|throw threw thrown|understand understood understood|wear wore worn|win won won|write wrote written|withstand withstood withstood|
forbid forbade forbidden|hang hung hung|hide hid hidden|overcome overcame overcome|undertake undertook undertaken|rebuild rebuilt rebuilt`;
const regular = `accept accommodate achieve acquire act activate adapt add adjust administer agree adopt allow announce answer appear apply appoint
approve arrange arrive ask attach attack attend attract award base belong block boast borrow call cancel carry cause cease celebrate change charge
check claim clean clear click close collect combine comment commission compete complete comprise conclude conduct configure connect conquer
consider consist construct consume contain continue contribute control convert cook cover create customize cure date decide declare decrease
defeat define deliver demand deny depend deploy describe design destroy determine develop die differ disable discover discuss display divide
dominate download double dry earn elect eliminate emerge emit employ enable enclose encounter encourage end enjoy enter ensure equal establish
estimate evolve exceed execute exist expand expire explain explore export expose express extend face fail fasten feature fetch fill filter finish
fit fix flow fold follow force form found function fund gain generate govern grant handle happen help host house identify ignore implement import
improve include increase indicate influence inherit inhabit initiate inspire install invade invent invite invoke involve issue join jump kill
label lack last launch limit link list live load locate log lower maintain manage manufacture mark marry match measure melt merge migrate mix
move name need nominate notice obtain occupy occur offer open operate oppose order organize originate oversee own pass peg pitch knit perform permit persuade pick
place plan play point possess post prefer prepare present preserve prevent print process produce prohibit promise promote propose protect
prove provide publish pull purchase push reach receive recognize recommend reduce refer reflect refresh refuse register regulate reject relate release
rely remain remove rename render repair repeat replace represent reproof require reserve reset resist resolve restore restrict result retain retire
retry return reveal rinse rotate rule save scale score search select separate serve share sign slow solve sort specify sponsor stabilize start state
stay stop store stretch study submit succeed suffer suggest suit supply support surround survive switch tear test tighten touch trace trade train transfer
transform translate travel treat trigger turn undergo unite update upgrade use validate vary view visit vote wait walk want warn wash watch
water weigh wipe withdraw wonder work wrap yield fail retry refetch throw mutate invalidate prefetch hydrate dehydrate render cache mount unmount persist subscribe`;

/** Verbs that are as often nouns: as bare plural verbs or imperatives they are believed, after a noun they are not. */
const nounToo = new Set(
  "act answer attack award base block call cause change charge check claim clean close comment cook cost cover date deal demand design display dry end face feature fit fix force form function fund gain grant guide help host house influence issue jump label lack light limit link list load log mark match measure mix move name need notice offer open order own pass place plan play point post present print process promise purchase push reach release repair repeat report request result return rule run score search set share sign sort sponsor stand start state stay stick stop store study supply support switch test trace trade train transfer travel treat trigger turn update upgrade tear use view visit vote walk wash watch water work cut drive fall fight fly hold run sleep split spread strike read present cache filter export import download query mount throw render".split(
    " ",
  ),
);

interface Form {
  readonly lemma: string;
  readonly form: "base" | "third" | "past" | "participle" | "gerund";
}

const forms = new Map<string, Form[]>();
function learn(word: string, lemma: string, form: Form["form"]): void {
  const known = forms.get(word) ?? [];
  if (!known.some((other) => other.form === form)) forms.set(word, [...known, { lemma, form }]);
}

const doubled =
  /^(?:stop|plan|permit|refer|occur|fit|log|submit|transfer|drop|wrap|peg|emit|label|control|run|begin|cut|get|put|set|let|sit|win|split|swim|shut|forbid|cancel|travel|jog|shop|step|trim|ship|equip)$/;

/** The -ed form. */
export function pastOf(lemma: string): string {
  if (/e$/.test(lemma)) return `${lemma}d`;
  if (/[^aeiou]y$/.test(lemma)) return `${lemma.slice(0, -1)}ied`;
  return doubled.test(lemma) && !/^(?:label|cancel|travel)$/.test(lemma) ? `${lemma}${lemma.at(-1)}ed` : `${lemma}ed`;
}

/** The form after he, she or it. */
export function thirdOf(lemma: string): string {
  if (lemma === "have") return "has";
  if (lemma === "be") return "is";
  if (/(?:s|x|z|ch|sh|o)$/.test(lemma)) return `${lemma}es`;
  return /[^aeiou]y$/.test(lemma) ? `${lemma.slice(0, -1)}ies` : `${lemma}s`;
}

function gerundOf(lemma: string): string {
  if (/ie$/.test(lemma)) return `${lemma.slice(0, -2)}ying`;
  if (/[^e]e$/.test(lemma)) return `${lemma.slice(0, -1)}ing`;
  return doubled.test(lemma) && !/^(?:label|cancel|travel)$/.test(lemma) ? `${lemma}${lemma.at(-1)}ing` : `${lemma}ing`;
}

for (const line of irregular.split("|")) {
  const [base, past, participle] = line.trim().split(" ") as [string, string, string];
  learn(base, base, "base");
  learn(thirdOf(base), base, "third");
  learn(past, base, "past");
  learn(participle, base, "participle");
  learn(gerundOf(base), base, "gerund");
}
for (const base of new Set(regular.split(/\s+/))) {
  // "found" is a past form and a verb of its own.
  if (forms.get(base)?.some(({ form }) => form === "base")) continue;
  learn(base, base, "base");
  learn(thirdOf(base), base, "third");
  learn(pastOf(base), base, "past");
  learn(pastOf(base), base, "participle");
  learn(gerundOf(base), base, "gerund");
}

export function verbForms(lower: string): readonly Form[] {
  return forms.get(lower) ?? [];
}

export function formOf(lower: string, form: Form["form"]): string | undefined {
  return forms.get(lower)?.find((known) => known.form === form)?.lemma;
}

export function isNounToo(lemma: string): boolean {
  return nounToo.has(lemma);
}

/** Whether a word is a participle: one that is known, or a word that ends like one. */
export function isParticiple(lower: string): boolean {
  return formOf(lower, "participle") !== undefined || /^\p{L}+[^e]ed$/u.test(lower);
}
