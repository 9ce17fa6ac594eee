import { DataSetId } from './data-set.js';
import { Expectation } from './expectation.js';
import { Decimal, Instant, Json, type JsonValue, OneOf, Part, Parts, Text, Texts, Whole } from './fields.js';
import { acceptedPath, pathPattern } from './json-path.js';
import { pageOf, PageRequest } from './page.js';
import { IfMatch, modelStatuses, type ModelStatus, modelTypes, type ModelType, Sport } from './registry.js';
import { Removed, request } from './request.js';

export const testCaseTypes = ['unit', 'integration', 'regression', 'performance', 'smoke'] as const;
export type TestCaseType = (typeof testCaseTypes)[number];

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

export class TestCaseRequest extends TestCaseRef {
  @Whole({ min: 1, max: 1_000_000_000, optional: true, description: 'The case as it was at this revision, also once it is removed.' })
  revision?: number;
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

  @OneOf(modelStatuses, { optional: true, nullable: true })
  status?: ModelStatus | null;
}

const maxInputBytes = 256_000;
const maxCallMs = 30_000;

const CarriedName = (): PropertyDecorator =>
  Text({ max: 64, pattern: /^[a-z][a-z0-9_]{0,63}$/, accepted: '1 to 64 of a-z, 0-9 and _, a letter first' });

/** A value of a step's answer that later steps may send: `{"$from": name}` in their input. */
export class Carry {
  @CarriedName()
  name!: string;

  @Text({ max: 500, pattern: pathPattern, accepted: acceptedPath })
  path!: string;
}

/** One request of an `integration` case. */
export class Step {
  @Json({
    max_bytes: maxInputBytes,
    description: 'As `input` of the case; `{"$from": name, "path"?}` in it stands for a value that an earlier step carries on.',
  })
  input!: JsonValue;

  @Parts(() => Expectation, { max_items: 50, optional: true })
  expectations?: Expectation[];

  @Parts(() => Carry, { max_items: 20, optional: true })
  carry?: Carry[];

  @Decimal({ min: 0.001, max: maxCallMs, optional: true, nullable: true, description: 'The call may not take longer, in milliseconds.' })
  max_duration_ms?: number | null;
}

/** What a `performance` case measures may not be beyond; what is left out is measured only. */
export class Limits {
  @Decimal({ min: 0.001, max: maxCallMs, optional: true, nullable: true, description: 'Half of the answers may take at most this.' })
  p50_ms?: number | null;

  @Decimal({ min: 0.001, max: maxCallMs, optional: true, nullable: true })
  p95_ms?: number | null;

  @Decimal({ min: 0.001, max: maxCallMs, optional: true, nullable: true })
  p99_ms?: number | null;

  @Decimal({ min: 0.001, max: 1e6, optional: true, nullable: true, description: 'At least so many good answers a second.' })
  min_throughput?: number | null;

  @Decimal({ min: 0, max: 100, optional: true, nullable: true, description: 'At most this share of bad answers, in percent. Default 0.' })
  max_error_rate?: number | null;
}

/** How a `performance` case calls: until so many requests, or so much time, are over. */
export class Load {
  @Whole({ min: 1, max: 50, description: 'Calls at a time.' })
  concurrency!: number;

  @Whole({ min: 1, max: 100_000, optional: true, nullable: true })
  requests?: number | null;

  @Whole({ min: 100, max: 120_000, optional: true, nullable: true, description: 'Milliseconds; no call begins after them.' })
  duration_ms?: number | null;

  @Part(() => Limits, { optional: true, nullable: true })
  limits?: Limits | null;
}

/** What the rows of a `regression` case may be judged by: of a class and of its probability, or of a number. */
export const dataMetrics = [
  ...['accuracy', 'precision', 'recall', 'f1', 'log_loss', 'brier', 'auc', 'calibration_error'],
  ...['mae', 'rmse', 'mape', 'r2'],
] as const;

const JsonPath = (options: { optional?: boolean; nullable?: boolean; description: string }): PropertyDecorator =>
  Text({ max: 500, pattern: pathPattern, accepted: acceptedPath, ...options });

/** How a `regression` case asks about the rows of a data set. */
export class CaseData {
  @DataSetId()
  data_set_id!: string;

  @JsonPath({ description: 'In a row: what is right.' })
  label_path!: string;

  @JsonPath({ description: 'In the answer: what the model says.' })
  prediction_path!: string;

  @JsonPath({ optional: true, nullable: true, description: 'In the answer: the probability of what it says, a number.' })
  score_path?: string | null;

  @Texts({
    max: 40,
    min_items: 1,
    max_items: dataMetrics.length,
    pattern: new RegExp(`^(${dataMetrics.join('|')})$`),
    accepted: `one of ${dataMetrics.join(', ')}`,
  })
  metrics!: string[];

  @Whole({ min: 1, max: 50, optional: true, description: 'Calls at a time. Default 8.' })
  concurrency?: number;

  @Whole({
    min: 1,
    max: 100_000,
    optional: true,
    description: 'Of a larger data set so many rows, evenly spread, always the same. Default 10,000.',
  })
  max_rows?: number;
}

const inputDescription =
  '`oip_v2`: the request body, or its `inputs` list. `http_json`, `nats`: what is sent, or what the request template takes it for. `regression`: a template, in which `{"$from": "row", "path"?}` stands for the row.';

class WrittenCase extends TestCaseRef {
  @Text({ min: 0, max: 1000, optional: true })
  description?: string;

  @Part(() => AppliesTo, { optional: true, description: 'Default: every model.' })
  applies_to?: AppliesTo;

  @Json({ max_bytes: maxInputBytes, optional: true, nullable: true, description: inputDescription })
  input?: JsonValue | null;

  @Parts(() => Expectation, { max_items: 50, optional: true })
  expectations?: Expectation[];

  @Decimal({
    min: 0.001,
    max: maxCallMs,
    optional: true,
    nullable: true,
    description: '`unit`, `smoke`: the call may not take longer, in milliseconds.',
  })
  max_duration_ms?: number | null;

  @Parts(() => Step, { max_items: 20, optional: true, description: '`integration`: the requests, one after the other.' })
  steps?: Step[];

  @Part(() => Load, { optional: true, nullable: true, description: '`performance`.' })
  load?: Load | null;

  @Part(() => CaseData, { optional: true, nullable: true, description: '`regression`.' })
  data?: CaseData | null;
}

/** What each type takes: apps/validation/src/case-rules.ts. */
export class NewTestCase extends WrittenCase {
  @OneOf(testCaseTypes, { optional: true, description: 'Default `unit`. It cannot be changed.' })
  type?: TestCaseType;
}

export class TestCaseChange extends WrittenCase {
  @IfMatch()
  if_match?: number[];
}

export class TestCaseRemoval extends TestCaseRef {
  @IfMatch()
  if_match?: number[];
}

export class TestCase extends TestCaseRef {
  @OneOf(testCaseTypes)
  type!: TestCaseType;

  @Text({ min: 0, max: 1000 })
  description!: string;

  @Part(() => AppliesTo)
  applies_to!: AppliesTo;

  @Json({ max_bytes: maxInputBytes, nullable: true, description: inputDescription })
  input!: JsonValue | null;

  @Parts(() => Expectation, { max_items: 50 })
  expectations!: Expectation[];

  @Decimal({ min: 0.001, max: maxCallMs, nullable: true })
  max_duration_ms!: number | null;

  @Parts(() => Step, { max_items: 20 })
  steps!: Step[];

  @Part(() => Load, { nullable: true })
  load!: Load | null;

  @Part(() => CaseData, { nullable: true })
  data!: CaseData | null;

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

export const listTestCases = request('validation.list_test_cases', { input: TestCaseFilter, output: TestCasePage });
export const getTestCase = request('validation.get_test_case', { input: TestCaseRequest, output: TestCase });
export const createTestCase = request('validation.create_test_case', { input: NewTestCase, output: TestCase });
export const changeTestCase = request('validation.change_test_case', { input: TestCaseChange, output: TestCase });
export const removeTestCase = request('validation.remove_test_case', { input: TestCaseRemoval, output: Removed });
