import { type FieldProblem } from '#contracts/errors.js';
import { type JsonValue } from '#contracts/fields.js';
import { compileTargeting } from './compiled-flag.js';
import { RuleError } from './json-logic.js';

interface Known {
  path: string;
  variants: readonly string[];
  evaluators: readonly string[];
}

/** What is wrong with a targeting: where in it, and what is accepted there. */
export function targetingProblems(targeting: JsonValue, { evaluators }: Known): FieldProblem[] {
  try {
    compileTargeting(targeting, Object.fromEntries(evaluators.map((name) => [name, null])));
    return [];
  } catch (error) {
    if (error instanceof RuleError) return [{ field: error.path, accepted: error.accepted }];
    throw error;
  }
}
