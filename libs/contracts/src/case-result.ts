import { Check } from './expectation.js';
import { Decimal, OneOf, Parts, Text } from './fields.js';
import { TestCaseRef } from './test-case.js';

export const caseOutcomes = ['passed', 'failed', 'error'] as const;
export type CaseOutcome = (typeof caseOutcomes)[number];

export class CaseResult extends TestCaseRef {
  @OneOf(caseOutcomes, { description: '`failed`: the model is wrong. `error`: it could not be judged.' })
  outcome!: CaseOutcome;

  @Decimal({ min: 0, max: 1e9, nullable: true })
  duration_ms!: number | null;

  @Text({ min: 0, max: 1000, description: 'Why it is not `passed`; empty when it is.' })
  reason!: string;

  @Parts(() => Check)
  checks!: Check[];
}
