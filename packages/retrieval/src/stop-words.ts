/** English words that are in nearly every passage and say nothing about its subject. Question words are among them. */
export const stopWords: ReadonlySet<string> = new Set(
  (
    "a an the this that these those " +
    "and or but nor if then so than as because while " +
    "i me my we us our you your he him his she her it its they them their " +
    "am is are was were be been being do does did doing done have has had having " +
    "can could will would shall should " +
    "of in on at by for from to with into about " +
    "not no there here what which who whom whose when where why how " +
    "also very just such only"
  ).split(" "),
);
