import { type AlertRule } from '#contracts/alerts.js';
import { type FieldProblem, invalidInput } from '#contracts/errors.js';

type Condition = Pick<AlertRule, 'metric' | 'comparison'>;

/** Which numbers each kind of comparison needs: one of these, and no other. */
const operands = { fixed: ['value'], baseline: ['ratio'], stable_version: ['ratio', 'difference'] } as const;
const all = ['value', 'ratio', 'difference'] as const;
const onlyFixed = new Set(['health_status', 'burn_rate']);
const inPercent = new Set(['success_rate', 'error_rate']);

/** Throws INVALID_INPUT unless the parts of a rule's condition fit together. */
export function assertCondition({ metric, comparison }: Condition): void {
  const { kind } = comparison;
  const wanted: readonly string[] = operands[kind];
  const given = all.filter((name) => comparison[name] !== undefined);
  const problems: FieldProblem[] = given
    .filter((name) => !wanted.includes(name))
    .map((name) => ({
      field: `comparison.${name}`,
      value: comparison[name],
      accepted: `not with kind ${kind}, but ${wanted.join(' or ')}`,
    }));
  const fitting = given.filter((name) => wanted.includes(name));
  if (fitting.length !== 1)
    problems.push({ field: `comparison.${wanted[0]!}`, accepted: `exactly one of ${wanted.join(', ')} with kind ${kind}` });
  if (onlyFixed.has(metric) && kind !== 'fixed') {
    problems.push({ field: 'comparison.kind', value: kind, accepted: `fixed, the only kind for ${metric}` });
  }
  if (inPercent.has(metric) && comparison.value !== undefined && comparison.value > 100) {
    problems.push({ field: 'comparison.value', value: comparison.value, accepted: `a percentage from 0 to 100 for ${metric}` });
  }
  if (problems.length) throw invalidInput(problems);
}
