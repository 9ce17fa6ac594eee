import { CaseResult } from './case-result.js';
import { CaseComparison, severities, type Severity } from './comparison.js';
import { Bool, Decimal, Instant, Line, OneOf, Part, Parts, Text, Texts, Whole } from './fields.js';
import { ModelId, ModelRef } from './registry.js';
import { pageOf, PageRequest } from './page.js';
import { NoInput, request } from './request.js';

export const runStatuses = ['running', 'passed', 'failed', 'error'] as const;
export type RunStatus = (typeof runStatuses)[number];

export { type Severity };

/** As many as one run judges. */
export const maxRunCases = 10_000;

export class RunRequest extends ModelRef {
  @Texts({ max: 100, min_items: 1, max_items: 1000, optional: true, description: 'Default: every case that applies to the model.' })
  test_case_ids?: string[];

  @Bool({ optional: true, description: 'false: answer at once, with `status` `running`. Default true.' })
  wait?: boolean;
}

export const RunId = (): PropertyDecorator => Text({ max: 120, pattern: /^[a-z0-9_]{1,120}$/, accepted: '1 to 120 of a-z, 0-9 and _' });

/** What makes a retry known: the same name is the same run for 24 hours. */
export class RequestName {
  @Text({ max: 64 })
  name!: string;

  /** Of what was asked for. The same name with another is refused. */
  @Text({ max: 64 })
  payload_sha256!: string;
}

export class RunStart extends RunRequest {
  @Part(() => RequestName, { optional: true })
  request?: RequestName;
}

export class RunRef {
  @RunId()
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

/** Whether a version can stand in for the stable one of its name, by the tensors that both declare (`oip_v2`). */
export class SignatureCheck {
  @Text({ max: 64, nullable: true, description: 'The stable version; null without one, or where it declares nothing.' })
  baseline_model_id!: string | null;

  @Bool({ nullable: true, description: 'null: not compared.' })
  compatible!: boolean | null;

  @Texts({ max: 1000, max_items: 20, description: 'Why it is not compatible, or why the metadata could not be read.' })
  problems!: string[];
}

export class RunProgress {
  @Whole({ description: 'Cases that have been judged.' })
  done!: number;

  @Whole()
  total!: number;
}

export class Run extends RunResult {
  @ModelId()
  model_id!: string;

  @Part(() => RunProgress)
  progress!: RunProgress;

  @Whole({ description: '0: it waits for its turn. It counts up each time that a replica begins the run, anew where another one died.' })
  attempt!: number;

  @Text({ max: 100, nullable: true, description: 'Who called it off; null: nobody did.' })
  cancelled_by!: string | null;

  @OneOf(runTriggers)
  trigger!: RunTrigger;

  @Instant()
  started_at!: string;

  @Instant({ nullable: true })
  completed_at!: string | null;

  @Text({ max: 120, nullable: true, description: 'The run it was compared with; null: with none, or with several.' })
  baseline_run_id!: string | null;

  @Texts({ max: 100, max_items: 1000, description: 'Cases with a comparison that says `regressed`, the first 1,000.' })
  regressed_test_case_ids!: string[];

  @Parts(() => CaseResult, { description: 'In the order of the cases, as many as 700 kB hold.' })
  results!: CaseResult[];

  @Text({ max: 1000, nullable: true, description: 'The `cursor` of `…/results` for the others; null: these are all.' })
  results_next_cursor!: string | null;
  @Parts(() => CaseComparison, { description: 'Figures of cases against their baselines: the first 300, what regressed before the rest.' })
  comparisons!: CaseComparison[];

  @Whole({ min: 1, nullable: true, description: 'What it was judged by: `GET /policies/validation?revision=`. null: not compared.' })
  policy_revision!: number | null;

  @Part(() => SignatureCheck, { nullable: true, description: 'null: the model declares no tensors.' })
  signature_check!: SignatureCheck | null;

  @Text({ min: 0, max: 1000, description: 'Why the run as a whole is an `error`; empty otherwise.' })
  reason!: string;
}

export class RunResultsRequest extends PageRequest {
  @RunId()
  run_id!: string;
}

export class RunResultsPage extends pageOf(CaseResult) {}
export class RunCancellation extends RunRef {
  @Line({ max: 500 })
  reason!: string;
}

export const runEvents = ['started', 'progress', 'finished'] as const;
export type RunEventName = (typeof runEvents)[number];

/**
 * A fact about a run, on the stream of facts under `emr.evt.validation.<event>`. `started` comes once for each attempt and `finished` once for
 * each run, whatever dies; `progress` at most once a second, and may get lost.
 */
export class RunEvent extends RunResult {
  @Text({ max: 200, description: 'Also its Nats-Msg-Id: what is sent again has the same.' })
  event_id!: string;

  @OneOf(runEvents)
  event!: RunEventName;

  @Instant()
  at!: string;

  @ModelId()
  model_id!: string;

  @OneOf(runTriggers)
  trigger!: RunTrigger;

  @Whole()
  attempt!: number;

  @Part(() => RunProgress)
  progress!: RunProgress;

  @Text({ min: 0, max: 1000 })
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

  @Text({ max: 120, nullable: true, description: 'The latest finished run; null without runs.' })
  last_run_id!: string | null;

  @Parts(() => CaseComparison, { description: 'How it compares with its baselines: the regressed figures first, at most 300.' })
  last_comparisons!: CaseComparison[];
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

/** A run that is over, as far as a promotion is judged by it. */
export class FinishedRun extends RunRef {
  @OneOf(runStatuses)
  status!: RunStatus;

  @Instant()
  started_at!: string;

  @OneOf(severities)
  regression_severity!: Severity;
}

export class GateEvidence {
  @Part(() => FinishedRun, { nullable: true, description: 'The newest finished run of this very model; null: there is none.' })
  newest_run!: FinishedRun | null;
}

export const startRun = request('validation.start_run', { input: RunStart, output: Run });
export const awaitRun = request('validation.await_run', { input: RunAwait, output: RunResult });
export const cancelRun = request('validation.cancel_run', { input: RunCancellation, output: Run });
export const getRun = request('validation.get_run', { input: RunRef, output: Run });
export const listRunResults = request('validation.list_run_results', { input: RunResultsRequest, output: RunResultsPage });
export const startNightly = request('validation.start_nightly', { input: NoInput, output: NightlyState });
export const awaitNightly = request('validation.await_nightly', { input: NightlyAwait, output: NightlyState });
export const getHistory = request('validation.get_history', { input: HistoryRequest, output: ValidationHistory });
export const getRegressionReport = request('validation.get_regression_report', { input: ReportRequest, output: RegressionReport });
/** The asker is asked itself, and must hear in time that nobody answers. */
export const getGateEvidence = request('validation.get_gate_evidence', { input: ModelRef, output: GateEvidence, timeout_ms: 1_000 });

export const subjectOfRun = (event: RunEventName): string => `emr.evt.validation.${event}`;

/** Runs that wait, one message each, `{run_id}`. PostgreSQL says what is to be done: a message wakes whoever may do it. */
export const runQueue = { name: 'EMR_JOBS', subjects: 'emr.jobs.>', subject: 'emr.jobs.validation.run', durable: 'validation' } as const;

/** Told on core NATS when a run is over, also when it was cancelled, `{run_id}`. It may get lost: whoever waits also looks. */
export const runOverNotice = 'emr.notice.validation.run_over';
