import { DataSetRef } from './data-set.js';
import { Check } from './expectation.js';
import { Counts, Decimal, JsonMap, OneOf, Part, Parts, Text, Whole } from './fields.js';
import { dataMetrics, TestCaseRef, testCaseTypes, type TestCaseType } from './test-case.js';

export const caseOutcomes = ['passed', 'failed', 'error'] as const;
export type CaseOutcome = (typeof caseOutcomes)[number];

/** What a `performance` case measured. Times are of the requests that were answered, in milliseconds. */
export class Measured {
  @Whole({ description: 'Requests made.' })
  requests!: number;

  @Whole({ description: 'Of them without an answer, or with one that did not meet the expectations.' })
  errors!: number;

  @Decimal({ min: 0, max: 100, description: 'Their share in percent.' })
  error_rate!: number;

  @Counts({ description: 'Errors by code; UNEXPECTED: the answer did not meet the expectations.' })
  error_codes!: Record<string, number>;

  @Decimal({ min: 0, max: 1e9, description: 'From the first request to the last answer.' })
  duration_ms!: number;

  @Decimal({ min: 0, max: 1e9, description: 'Good answers a second.' })
  throughput!: number;

  @Decimal({ min: 0, max: 1e7 })
  p50_ms!: number;

  @Decimal({ min: 0, max: 1e7 })
  p95_ms!: number;

  @Decimal({ min: 0, max: 1e7 })
  p99_ms!: number;

  @Decimal({ min: 0, max: 1e7 })
  min_ms!: number;

  @Decimal({ min: 0, max: 1e7 })
  max_ms!: number;

  @Text({ min: 0, max: 20_000, description: 'All times as a serialised sketch (libs/statistics/src/sketch.ts), base64.' })
  sketch!: string;
}

/** How far a `regression` case came. What each row came to is stored beside the run. */
export class RowsJudged extends DataSetRef {
  @Whole({ description: 'Rows asked about.' })
  rows!: number;

  @Whole({ description: 'Of them without a prediction that can be judged.' })
  errors!: number;

  @Counts({ description: 'Errors by code; INVALID_ROW: the row has no label or does not fill the input.' })
  error_codes!: Record<string, number>;
}

export class CaseResult extends TestCaseRef {
  @OneOf(testCaseTypes, { optional: true, description: 'Absent in runs of before there were types.' })
  type?: TestCaseType;

  @Whole({ min: 1, optional: true, description: 'The case as it was: `GET /validation/cases/{test_case_id}?revision=`.' })
  revision?: number;

  @OneOf(caseOutcomes, { description: '`failed`: the model is wrong. `error`: it could not be judged.' })
  outcome!: CaseOutcome;

  @Decimal({ min: 0, max: 1e9, nullable: true })
  duration_ms!: number | null;

  @Text({ min: 0, max: 1000, description: 'Why it is not `passed`; empty when it is.' })
  reason!: string;

  @Parts(() => Check)
  checks!: Check[];

  @Part(() => Measured, { optional: true, description: '`performance`.' })
  measured?: Measured;

  @Part(() => RowsJudged, { optional: true, description: '`regression`.' })
  rows_judged?: RowsJudged;

  @JsonMap({
    max_keys: dataMetrics.length,
    max_bytes: 2_000,
    optional: true,
    description: '`regression`: the figures of the case’s `metrics`, of all rows.',
    entries: { accepted: 'numbers', schema: { type: 'number' }, check: (_, value) => typeof value === 'number' },
  })
  metrics?: Record<string, number>;

  @JsonMap({
    max_keys: dataMetrics.length,
    max_bytes: 4_000,
    optional: true,
    description: '`regression`: why a metric of the case has no figure.',
    entries: { accepted: 'reasons', schema: { type: 'string' }, check: (_, value) => typeof value === 'string' },
  })
  not_measured?: Record<string, string>;
}
