import { Bool, Decimal, Instant, Json, type JsonValue, OneOf, Part, Parts, Text, Texts, Whole } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { IfMatch, ModelId, ModelRef, modelTypes, type ModelType, Sport } from './registry.js';
import { NoInput, Removed, request } from './request.js';

export const expectationOps = ['equals', 'approx', 'range', 'one_of', 'matches', 'length', 'exists'] as const;
export type ExpectationOp = (typeof expectationOps)[number];

/** One thing that must hold of a model's answer. */
export class Expectation {
  @Text({ max: 500, optional: true, description: 'JSONPath to the value, such as $.outputs[0].data[0]. Default $, the whole answer.' })
  path?: string;

  @OneOf(expectationOps)
  op!: ExpectationOp;

  @Json({
    max_bytes: 100_000,
    optional: true,
    nullable: true,
    description: '`equals`, `approx`, `one_of` (a list), `matches` (a pattern), `length`, `exists` (true or false).',
  })
  value?: JsonValue;

  @Decimal({ min: 0, max: 1e300, optional: true, description: '`approx`: the largest absolute difference.' })
  tolerance?: number;

  @Decimal({ min: 0, max: 1e6, optional: true, description: '`approx`: the largest difference as a share of `value`.' })
  relative?: number;

  @Decimal({ min: -1e300, max: 1e300, optional: true, description: '`range` and `length`: the smallest value.' })
  min?: number;

  @Decimal({ min: -1e300, max: 1e300, optional: true, description: '`range` and `length`: the largest value.' })
  max?: number;
}

const TestCaseId = (): PropertyDecorator =>
  Text({
    max: 100,
    pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/,
    accepted: '1 to 100 letters, digits, _, . and -',
    example: 'mlb_basic_prediction',
  });

export class TestCaseRef {
  @TestCaseId()
  test_case_id!: string;
}

/** Which models a case is for: all that fit every field given. */
export class AppliesTo {
  @Text({ max: 64, optional: true, nullable: true })
  model_id?: string | null;

  @Text({ max: 200, optional: true, nullable: true })
  name?: string | null;

  @Sport({ optional: true, nullable: true })
  sport?: string | null;

  @OneOf(modelTypes, { optional: true, nullable: true })
  model_type?: ModelType | null;
}

const maxInputBytes = 256_000;

export class NewTestCase extends TestCaseRef {
  @Text({ min: 0, max: 1000, optional: true })
  description?: string;

  @Part(() => AppliesTo, { optional: true, description: 'Default: every model.' })
  applies_to?: AppliesTo;

  @Json({ max_bytes: maxInputBytes, description: '`oip_v2`: the request body, or its `inputs` list. `http_json`: the request body.' })
  input!: JsonValue;

  @Parts(() => Expectation, { min_items: 1, max_items: 50 })
  expectations!: Expectation[];

  @Decimal({ min: 0.001, max: 30_000, optional: true, nullable: true, description: 'The call may not take longer, in milliseconds.' })
  max_duration_ms?: number | null;
}

export class TestCaseChange extends TestCaseRef {
  @Text({ min: 0, max: 1000, optional: true })
  description?: string;

  @Part(() => AppliesTo, { optional: true })
  applies_to?: AppliesTo;

  @Json({ max_bytes: maxInputBytes, optional: true })
  input?: JsonValue;

  @Parts(() => Expectation, { min_items: 1, max_items: 50, optional: true })
  expectations?: Expectation[];

  @Decimal({ min: 0.001, max: 30_000, optional: true, nullable: true })
  max_duration_ms?: number | null;

  @IfMatch()
  if_match?: number[];
}

export class TestCaseRemoval extends TestCaseRef {
  @IfMatch()
  if_match?: number[];
}

export class TestCase extends TestCaseRef {
  @Text({ min: 0, max: 1000 })
  description!: string;

  @Part(() => AppliesTo)
  applies_to!: AppliesTo;

  @Json({ max_bytes: maxInputBytes })
  input!: JsonValue;

  @Parts(() => Expectation, { min_items: 1, max_items: 50 })
  expectations!: Expectation[];

  @Decimal({ min: 0.001, max: 30_000, nullable: true })
  max_duration_ms!: number | null;

  @Instant()
  created_at!: string;

  @Instant()
  updated_at!: string;

  @Text({ max: 100 })
  created_by!: string;

  @Whole({ min: 1 })
  revision!: number;
}

export class TestCaseFilter extends PageRequest {
  @Text({ max: 64, optional: true, description: 'Only cases that apply to this model.' })
  model_id?: string;
}

export class TestCasePage extends pageOf(TestCase) {}

export const runStatuses = ['running', 'passed', 'failed', 'error'] as const;
export type RunStatus = (typeof runStatuses)[number];

export const severities = ['none', 'low', 'medium', 'high'] as const;
export type Severity = (typeof severities)[number];

export const caseOutcomes = ['passed', 'failed', 'error'] as const;
export type CaseOutcome = (typeof caseOutcomes)[number];

export class Check {
  @Text({ max: 500 })
  path!: string;

  @Text({ max: 20 })
  op!: string;

  @Bool()
  passed!: boolean;

  @Json({ max_bytes: 100_000, nullable: true })
  expected!: JsonValue;

  @Json({ max_bytes: 100_000, nullable: true, description: 'What the answer had, shortened when it is large.' })
  actual!: JsonValue;

  @Text({ min: 0, max: 1000 })
  reason!: string;
}

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

export class RunRequest extends ModelRef {
  @Texts({ max: 100, min_items: 1, max_items: 1000, optional: true, description: 'Default: every case that applies to the model.' })
  test_case_ids?: string[];

  @Bool({ optional: true, description: 'false: answer at once, with `status` `running`. Default true.' })
  wait?: boolean;
}

export class RunRef {
  @Text({ max: 120, pattern: /^[a-z0-9_]{1,120}$/, accepted: '1 to 120 of a-z, 0-9 and _' })
  run_id!: string;
}

/** What `POST /validation/run` answers. */
export class RunResult extends RunRef {
  @OneOf(runStatuses)
  status!: RunStatus;

  @Whole()
  total_tests!: number;

  @Whole()
  passed_tests!: number;

  @Whole()
  failed_tests!: number;

  @Whole()
  error_tests!: number;

  @Bool()
  regression_detected!: boolean;

  @OneOf(severities)
  regression_severity!: Severity;
}

export const runTriggers = ['manual', 'nightly'] as const;
export type RunTrigger = (typeof runTriggers)[number];

export class Run extends RunResult {
  @ModelId()
  model_id!: string;

  @OneOf(runTriggers)
  trigger!: RunTrigger;

  @Instant()
  started_at!: string;

  @Instant({ nullable: true })
  completed_at!: string | null;

  @Text({ max: 120, nullable: true, description: 'The run it was compared with.' })
  baseline_run_id!: string | null;

  @Texts({ max: 100, max_items: 1000, description: 'Cases that passed in the baseline run and do not now.' })
  regressed_test_case_ids!: string[];

  @Parts(() => CaseResult)
  results!: CaseResult[];

  @Text({ min: 0, max: 1000, description: 'Why the run as a whole is an `error`; empty otherwise.' })
  reason!: string;
}

/** Asks again for a run until it is over: the answer comes when it is, or after wait_ms with status `running`. */
export class RunAwait extends RunRef {
  @Whole({ max: 1500 })
  wait_ms!: number;
}

const Days = (byDefault: number): PropertyDecorator =>
  Whole({ min: 1, max: 365, optional: true, description: `Number of days to look back (default: ${byDefault})` });

export class HistoryRequest extends ModelRef {
  @Days(30)
  days?: number;
}

export class ReportRequest extends ModelRef {
  @Days(7)
  days?: number;
}

export class HistoryEntry extends RunRef {
  @OneOf(runStatuses)
  status!: RunStatus;

  @Instant()
  started_at!: string;

  @Instant({ nullable: true })
  completed_at!: string | null;

  @Whole()
  total_tests!: number;

  @Whole()
  passed_tests!: number;

  @Whole()
  failed_tests!: number;

  @Bool()
  regression_detected!: boolean;

  @OneOf(severities)
  regression_severity!: Severity;
}

export class ValidationHistory extends ModelRef {
  @Whole()
  period_days!: number;

  @Parts(() => HistoryEntry, { description: 'Newest first, the newest 1000.' })
  validation_runs!: HistoryEntry[];
}

export const trends = ['improving', 'stable', 'degrading'] as const;
export type Trend = (typeof trends)[number];

export class SeverityBreakdown {
  @Whole()
  high!: number;

  @Whole()
  medium!: number;

  @Whole()
  low!: number;
}

export class RegressionReport extends ModelRef {
  @Whole()
  period_days!: number;

  @Whole()
  total_validation_runs!: number;

  @Whole()
  runs_with_regression!: number;

  @Decimal({ min: 0, max: 1, description: 'Share of the runs, 0 to 1.' })
  regression_rate!: number;

  @Decimal({ min: 0, max: 1, description: 'Share of the recent runs, 0 to 1.' })
  recent_regression_rate!: number;

  @OneOf(trends)
  trend!: Trend;

  @Instant({ nullable: true, description: 'When the latest run started; null without runs.' })
  last_validation!: string | null;

  @Part(() => SeverityBreakdown)
  severity_breakdown!: SeverityBreakdown;
}

export class NightlySummary {
  @Whole()
  passed!: number;

  @Whole()
  failed!: number;

  @Whole()
  errors!: number;

  @Whole()
  regressions_detected!: number;
}

export class NightlyResult {
  @Whole()
  models_processed!: number;

  @Part(() => NightlySummary)
  results_summary!: NightlySummary;
}

export class NightlyRef {
  @Text({ max: 60 })
  nightly_id!: string;
}

export class NightlyAwait extends NightlyRef {
  @Whole({ max: 1500 })
  wait_ms!: number;
}

export class NightlyState extends NightlyRef {
  @Bool()
  completed!: boolean;

  @Part(() => NightlyResult)
  result!: NightlyResult;
}

export const startRun = request('validation.start_run', { input: RunRequest, output: Run });
export const awaitRun = request('validation.await_run', { input: RunAwait, output: Run });
export const getRun = request('validation.get_run', { input: RunRef, output: Run });
export const startNightly = request('validation.start_nightly', { input: NoInput, output: NightlyState });
export const awaitNightly = request('validation.await_nightly', { input: NightlyAwait, output: NightlyState });
export const getHistory = request('validation.get_history', { input: HistoryRequest, output: ValidationHistory });
export const getRegressionReport = request('validation.get_regression_report', { input: ReportRequest, output: RegressionReport });
export const listTestCases = request('validation.list_test_cases', { input: TestCaseFilter, output: TestCasePage });
export const getTestCase = request('validation.get_test_case', { input: TestCaseRef, output: TestCase });
export const createTestCase = request('validation.create_test_case', { input: NewTestCase, output: TestCase });
export const changeTestCase = request('validation.change_test_case', { input: TestCaseChange, output: TestCase });
export const removeTestCase = request('validation.remove_test_case', { input: TestCaseRemoval, output: Removed });
