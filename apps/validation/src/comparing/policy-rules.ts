import { type FieldProblem } from '#contracts/errors.js';
import { type Bands, type ComparisonRules } from '#contracts/policy.js';

/** What is wrong with a policy beyond the types of its fields: severities whose bands fall. */
export function policyProblems({ bands, cases }: Pick<ComparisonRules, 'bands' | 'cases'>): FieldProblem[] {
  const falling = (field: string, value: number, least: number): FieldProblem[] =>
    value < least ? [{ field, value, accepted: `at least ${least}: bands do not fall` }] : [];
  return [
    ...(Object.entries(bands) as [string, Bands][]).flatMap(([kind, { low, medium, high }]) => [
      ...falling(`bands.${kind}.medium`, medium, low),
      ...falling(`bands.${kind}.high`, high, medium),
    ]),
    ...falling('cases.high', cases.high, cases.medium),
  ];
}
