/** Every error code a client can meet, and the HTTP status it travels under. Codes are stable: a client may branch on them. */
export const statusOfCode = {
  INVALID_INPUT: 400,
  INVALID_JSON: 400,
  UNSUPPORTED_MEDIA_TYPE: 400,
  MALFORMED_REQUEST: 400,
  UNAUTHENTICATED: 401,
  ROLE_TOO_SMALL: 403,
  OUT_OF_SCOPE: 403,
  ROUTE_NOT_FOUND: 404,
  MODEL_NOT_FOUND: 404,
  TEST_CASE_NOT_FOUND: 404,
  DATA_SET_NOT_FOUND: 404,
  RUN_NOT_FOUND: 404,
  BASELINE_NOT_FOUND: 404,
  POLICY_NOT_FOUND: 404,
  FLAG_NOT_FOUND: 404,
  EVALUATOR_NOT_FOUND: 404,
  ROLLOUT_NOT_FOUND: 404,
  KEY_NOT_FOUND: 404,
  ALERT_RULE_NOT_FOUND: 404,
  ALERT_NOT_FOUND: 404,
  SILENCE_NOT_FOUND: 404,
  WEBHOOK_NOT_FOUND: 404,
  DELIVERY_NOT_FOUND: 404,
  REQUEST_TIMEOUT: 408,
  MODEL_EXISTS: 409,
  TEST_CASE_EXISTS: 409,
  DATA_SET_EXISTS: 409,
  DATA_SET_IN_USE: 409,
  FLAG_EXISTS: 409,
  EVALUATOR_IN_USE: 409,
  OWNED_BY_ROLLOUT: 409,
  STATUS_CHANGE_NOT_ALLOWED: 409,
  STATUS_CHANGE_CONFLICT: 409,
  MODEL_RETIRED: 409,
  ROLLOUT_NOT_RUNNING: 409,
  ROLLED_BACK_BEFORE: 409,
  MODEL_NOT_SERVED: 409,
  NO_TEST_CASES: 409,
  RUN_NOT_RUNNING: 409,
  NOT_A_BASELINE: 409,
  KEY_REVOKED: 409,
  IDEMPOTENCY_KEY_REUSED: 409,
  ALERT_NOT_FIRING: 409,
  LIMIT_REACHED: 409,
  STALE_REVISION: 412,
  REQUEST_TOO_LARGE: 413,
  GATE_NOT_PASSED: 422,
  TOO_MANY_REQUESTS: 429,
  INTERNAL_ERROR: 500,
  NO_ELIGIBLE_MODEL: 503,
  SERVICE_UNAVAILABLE: 503,
} as const;

export type ErrorCode = keyof typeof statusOfCode;

export type ErrorDetails = Record<string, unknown>;

/** What an error looks like on the wire: in the REST envelope and in a NATS reply. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  details: ErrorDetails | null;
}

/** An expected failure. Anything else that is thrown is a bug and is answered as INTERNAL_ERROR without its text. */
export class AppError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: ErrorDetails | null = null,
  ) {
    super(message);
    this.name = 'AppError';
  }

  get status(): number {
    return statusOfCode[this.code];
  }

  toBody(): ErrorBody {
    return { code: this.code, message: this.message, details: this.details };
  }
}

/** `throw` as an expression: `row ?? raise(modelNotFound(id))`. */
export function raise(error: Error): never {
  throw error;
}

/** The error that a NATS reply or a thrown value carries, or null when it carries none of ours. */
export function errorFromBody(value: unknown): AppError | null {
  if (value instanceof AppError) return value;
  if (typeof value !== 'object' || value === null) return null;
  const { code, message, details } = value as Partial<ErrorBody>;
  if (typeof code !== 'string' || !Object.hasOwn(statusOfCode, code) || typeof message !== 'string') return null;
  return new AppError(code, message, details ?? null);
}

/** One offending field of an INVALID_INPUT error. `value` is what was sent, shortened; absent when nothing was sent. */
export interface FieldProblem {
  field: string;
  value?: unknown;
  accepted: string;
}

const maxNamed = 10;
const maxFields = 100;
const maxNameLength = 80;

const shortened = (name: string): string => (name.length > maxNameLength ? `${name.slice(0, maxNameLength).toWellFormed()}…` : name);

/** Tells 100 fields at most, so that an answer is never much larger than what it answers; `further` says how many there were beside them. */
export function invalidInput(fields: FieldProblem[]): AppError {
  const names = [...new Set(fields.map(({ field }) => shortened(field)))];
  const [named, others] = [names.slice(0, maxNamed).join(', '), names.length - maxNamed];
  const told = fields.slice(0, maxFields).map((problem) => ({ ...problem, field: shortened(problem.field) }));
  const further = fields.length - told.length;
  return new AppError('INVALID_INPUT', `Invalid input: ${named}${others > 0 ? ` and ${others} more` : ''}`, {
    fields: told,
    ...(further > 0 && { further }),
  });
}

export const modelNotFound = (model_id: string): AppError => new AppError('MODEL_NOT_FOUND', `Model ${model_id} not found`);

/** Refuses a change of what a rollout alone may change while it goes on. */
export const ownedByRollout = (subject: string, rollout_id: string): AppError =>
  new AppError('OWNED_BY_ROLLOUT', `${subject} belongs to the rollout ${rollout_id}, which alone changes this until it ends`, {
    rollout_id,
    accepted: `POST /rollouts/${rollout_id}/abort first`,
  });

export const serviceUnavailable = (service: string): AppError =>
  new AppError('SERVICE_UNAVAILABLE', `The ${service} service is not available; try again shortly`, { service });

/** `retry_after_seconds` is also the Retry-After of the answer. */
export const tooManyRequests = (message: string, retry_after_seconds: number): AppError =>
  new AppError('TOO_MANY_REQUESTS', `${message}; try again in ${retry_after_seconds} s`, { retry_after_seconds });

/** Throws STALE_REVISION when If-Match was given and names other revisions than the present one. */
export function assertRevision(subject: string, current: number, if_match: number[] | undefined): void {
  if (!if_match || if_match.includes(current)) return;
  throw new AppError('STALE_REVISION', `${subject} has changed since the revision in If-Match`, {
    current_revision: current,
    accepted: `If-Match: "${current}"`,
  });
}
