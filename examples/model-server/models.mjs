import { setTimeout as delay } from 'node:timers/promises';
import { gameFeatures, trainGameModels } from './logistic-regression.mjs';
import { longAnswers } from './long-answers.mjs';

/** In what way `long-answers` is served. */
export const variants = ['good', 'slow', 'inaccurate', 'flaky', 'failing'];

const slowMs = 500;
/** A flaky one fails each so many inferences. */
const flakyEvery = 2;

/** A model that cannot answer, though the request was right. */
export class ModelError extends Error {}

const gameOutputs = [
  { name: 'probability', datatype: 'FP64', of: (probability) => probability },
  { name: 'pick', datatype: 'BYTES', of: (probability) => (probability >= 0.5 ? 'over' : 'under') },
];

const isLong = (probability) => probability >= 0.5;
const longOutputs = [
  { name: 'long', datatype: 'BOOL', of: isLong },
  { name: 'confidence', datatype: 'FP64', of: (probability) => (isLong(probability) ? probability : 1 - probability) },
];

/**
 * Models by name: {features, outputs, predict}. `features` are the names of a row's numbers, `predict` resolves to a probability for each of
 * its rows, and `outputs` say what is told of it.
 */
export function createModels(variant) {
  const games = Object.entries(trainGameModels()).map(([name, predict]) => [
    name,
    { features: gameFeatures, outputs: gameOutputs, predict: async (rows) => rows.map(predict) },
  ]);
  let asked = 0;
  const predict = async (rows) => {
    asked += 1;
    if (variant === 'failing' || (variant === 'flaky' && asked % flakyEvery === 0)) throw new ModelError('long-answers is out of memory');
    if (variant === 'slow') await delay(slowMs);
    return rows.map(longAnswers(variant === 'inaccurate' ? 'inaccurate' : 'accurate'));
  };
  return new Map([...games, ['long-answers', { features: ['context_tokens'], outputs: longOutputs, predict }]]);
}
