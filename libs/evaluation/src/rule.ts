import { type EvaluationError } from '#contracts/flag-evaluation.js';

/** What one evaluation knows besides the data, and what it has used up. */
export interface Run {
  flag_key: string;
  targetingKey: unknown;
  now_ms: number;
  /** Elements visited so far: see `maxSteps`. */
  steps: number;
  /** The place in the definition whose value is the answer. */
  rule: string;
}

/** A compiled rule: `data` is the context, or an element of a list within `map` and the like. */
export type Rule = (data: unknown, run: Run) => unknown;

/** Elements that all list operations of one evaluation may visit together: nested ones would multiply what a client sends. */
export const maxSteps = 100_000;
/** Characters of a text, or items of a list, that a rule may build. */
export const maxBuilt = 100_000;

/** Why an evaluation has no answer. The message is for whoever wrote the flag. */
export class EvaluationFault extends Error {
  constructor(
    readonly code: EvaluationError,
    message: string,
  ) {
    super(message);
    this.name = 'EvaluationFault';
  }
}

export function step(run: Run): void {
  run.steps += 1;
  if (run.steps > maxSteps) throw new EvaluationFault('GENERAL', `The rule visits more than ${maxSteps} elements`);
}

export function assertBuildable(length: number): void {
  if (length > maxBuilt) throw new EvaluationFault('GENERAL', `The rule builds more than ${maxBuilt} characters or items`);
}
