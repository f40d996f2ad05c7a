import { auroc, bestOf, bootstrap, exactMatch, f1Score, mean, readRecords } from "@clara/evaluation";

const lines = [
  '{"id": "1", "question": "Who wrote Faust?", "answers": ["Goethe", "Johann Wolfgang von Goethe"]}',
  '{"id": "2", "question": "When did the Wall fall?", "answer": "9 November 1989"}',
  '{"id": "3", "question": "What is the price of the moon?", "answers": [], "answerable": false}',
];
const given = [
  { prediction: "J. W. von Goethe", confidence: 0.8 },
  { prediction: "9 November 1989", confidence: 0.9 },
  { prediction: "a dollar", confidence: 0.2 },
];

const exact: number[] = [];
const f1: number[] = [];
const answerable: boolean[] = [];
for await (const record of readRecords(lines, "questions.jsonl")) {
  const { prediction } = given[answerable.length]!;
  answerable.push(record.answerable);
  if (!record.answerable) continue;
  exact.push(bestOf(exactMatch, prediction, record.answers));
  f1.push(bestOf(f1Score, prediction, record.answers));
}

const [low, high] = bootstrap(f1, { seed: 1 });
console.log(`exact match ${mean(exact).toFixed(2)}`);
console.log(`F1 ${mean(f1).toFixed(2)}, between ${low.toFixed(2)} and ${high.toFixed(2)} with 95 % confidence`);
console.log(
  `confidence tells answerable questions: AUROC ${auroc(
    given.map(({ confidence }) => confidence),
    answerable,
  )}`,
);
