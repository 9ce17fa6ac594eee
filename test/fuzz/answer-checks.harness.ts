import { type Role, roleSuffices } from '#contracts/access.js';
import { type ErrorCode, type FieldProblem, statusOfCode } from '#contracts/errors.js';
import { type Exchange, type Received, succeeded } from './exchange.harness.js';
import { type Schemas } from './schemas.harness.js';

/** What a check is told besides the exchange. */
export interface Known {
  schemas: Schemas;
  /** Keys, passwords and the like, none of which is in any answer but those that a test made and is shown once. */
  secrets: readonly string[];
}

interface Failure {
  code: ErrorCode;
  message: string;
  details: Record<string, unknown> | null;
}

/** The error of an answer, where it is one of ours. */
export function errorOf({ answer }: Exchange): Failure | null {
  const error = (answer?.body as { error?: Failure } | null | undefined)?.error;
  return typeof error === 'object' && typeof error?.code === 'string' ? error : null;
}

const securityHeaders: Record<string, RegExp> = {
  'x-content-type-options': /^nosniff$/,
  'x-frame-options': /^DENY$/,
  'referrer-policy': /^no-referrer$/,
  'cache-control': /^no-store$/,
  'content-security-policy': /^default-src 'none';.*frame-ancestors 'none'$/,
};
const idForm = /^[\w.-]{1,100}$/;
const tellingHeaders = ['server', 'x-powered-by', 'access-control-allow-origin', 'set-cookie', 'x-injected'];

/** What no answer tells: stacks, SQL and what PostgreSQL says, libraries, places on the disk. */
const insides =
  /\bat (?:async )?[\w.<>]+ \(|node:internal|node_modules|\/dist\/|\.[jt]s:\d+|\bSELECT .{1,80} FROM\b|\bINSERT INTO\b|violates .{1,40}constraint|syntax error at|duplicate key value|invalid input syntax|QueryFailedError|TypeError|RangeError|SyntaxError|Cannot read propert|is not a function|_INBOX|emr\.rpc|\[object Object\]|ECONNREFUSED.*:5432/;

/** A check says what is wrong with an exchange, null when nothing is. */
export type AnswerCheck = (exchange: Exchange, known: Known) => string | null;

export const answerChecks: Record<string, AnswerCheck> = {
  'is answered in time': ({ answer, failure }) => (answer ? null : failure),

  'is no fault of ours': (one) => {
    const { answer } = one;
    if (!answer || answer.status < 500) return null;
    if (answer.status !== 503) return seen(answer);
    const code = errorOf(one)?.code;
    if (code === 'NO_ELIGIBLE_MODEL') return null;
    if (code !== 'SERVICE_UNAVAILABLE') return `503 without one of its codes: ${seen(answer)}`;
    return /^\d+$/.test(String(answer.headers['retry-after'])) ? null : `503 without Retry-After: ${seen(answer)}`;
  },

  'has a status that the operation tells of': ({ answer, operation }) =>
    !answer || String(answer.status) in operation.answers ? null : `${operation.id} does not tell of ${seen(answer)}`,

  'fits the schema of its status': (one, { schemas }) => {
    const { answer, operation } = one;
    if (!answer || !(String(answer.status) in operation.answers)) return null;
    if (operation.answers[answer.status] === null) return answer.text === '' ? null : `a body with ${seen(answer)}`;
    const type = String(answer.headers['content-type']);
    if (!/^application\/json(; charset=utf-8)?$/.test(type)) return `${type} is no JSON: ${seen(answer)}`;
    if (answer.body === undefined) return `not JSON: ${seen(answer)}`;
    const problem = schemas.answerProblem(operation, answer.status, answer.body);
    return problem === null ? null : `${problem}: ${seen(answer)}`;
  },

  'has an error of the stable form': (one) => {
    const { answer } = one;
    if (!answer || answer.status < 400) return null;
    const body = answer.body as Record<string, unknown> | undefined;
    const error = errorOf(one);
    if (!body || !error || keys(body) !== 'data,error,success' || body.success !== false || body.data !== null)
      return `not the envelope: ${seen(answer)}`;
    if (keys(error) !== 'code,details,message') return `not the form of an error: ${seen(answer)}`;
    if (statusOfCode[error.code] !== answer.status) return `the code is not one of the status: ${seen(answer)}`;
    if (typeof error.message !== 'string' || error.message.length === 0 || error.message.length > 1_000)
      return `no message: ${seen(answer)}`;
    return error.code === 'INVALID_INPUT' ? problemsFlaw(error.details) : null;
  },

  'tells nothing of the inside': (one, { secrets }) => {
    const { answer } = one;
    if (!answer) return null;
    const [found] = insides.exec(withoutEcho(one)) ?? [];
    if (found !== undefined) return `${JSON.stringify(found)} in ${seen(answer)}`;
    const all = `${JSON.stringify(answer.headers)}${answer.text}`;
    return secrets.some((secret) => all.includes(secret)) ? `a secret in ${seen(answer)}` : null;
  },

  'has the security headers': ({ answer }) => {
    if (!answer) return null;
    const wrong = Object.entries(securityHeaders).filter(([name, form]) => !form.test(String(answer.headers[name])));
    const telling = tellingHeaders.filter((name) => answer.headers[name] !== undefined);
    const names = [...wrong.map(([name]) => `${name}: ${String(answer.headers[name])}`), ...telling];
    return names.length ? `${names.join(', ')} with ${seen(answer)}` : null;
  },

  'has the id of its request': (one) => {
    // What is refused before it is a request has none.
    if (!one.answer || ['MALFORMED_REQUEST', 'REQUEST_TOO_LARGE'].includes(errorOf(one)?.code ?? '')) return null;
    const given = one.headers['X-Request-Id'];
    const answered = String(one.answer.headers['x-request-id']);
    if (!idForm.test(answered)) return `x-request-id is ${answered}`;
    return given === undefined || idForm.test(given) === (given === answered) ? null : `x-request-id ${given} became ${answered}`;
  },

  'asks for a key': (one) => {
    const { answer, principal } = one;
    if (!answer || principal.role !== null) return null;
    if (answer.status === 401) return answer.headers['www-authenticate'] === 'Bearer' ? null : `no WWW-Authenticate: ${seen(answer)}`;
    return isWellFormed(one) ? `as ${principal.name}: ${seen(answer)}` : allowedRefusal(one);
  },

  'asks for a role': (one) => {
    const { answer, principal, operation } = one;
    if (!answer || principal.role === null) return null;
    const suffices = roleSuffices(principal.role, operation.role);
    const error = errorOf(one);
    const tooSmall = error?.code === 'ROLE_TOO_SMALL';
    // Single fields may need more.
    const needed = error?.details?.needed as Role | undefined;
    if (suffices)
      return tooSmall && !(needed && !roleSuffices(principal.role, needed)) ? `${principal.name} is refused: ${seen(answer)}` : null;
    // A body is read before its route looks at the role.
    if (tooSmall || bodyCodes.has(error?.code ?? '')) return null;
    return isWellFormed(one) ? `as ${principal.name}, below ${operation.role}: ${seen(answer)}` : allowedRefusal(one);
  },

  'takes nothing that does not fit': (one, { schemas }) => {
    if (!succeeded(one)) return null;
    const problem = schemas.requestProblem(one);
    return problem === null ? null : `accepted although ${problem}: ${seen(one.answer!)}`;
  },
};

const bodyCodes = new Set(['INVALID_JSON', 'UNSUPPORTED_MEDIA_TYPE', 'REQUEST_TOO_LARGE']);

/** A path or head that is refused before anybody looks who asks. */
function isWellFormed({ params, query, headers, path }: Exchange): boolean {
  const size = path.length + Object.values(headers).join('').length;
  return query !== null && !Object.values(params).includes(null) && size < 8_000 && !('Expect' in headers);
}

function allowedRefusal({ answer }: Exchange): string | null {
  return answer && [400, 401, 403, 404, 413].includes(answer.status) ? null : answer && seen(answer);
}

function problemsFlaw(details: Record<string, unknown> | null): string | null {
  const fields = (details?.fields ?? []) as Partial<FieldProblem>[];
  const whole =
    fields.length > 0 && fields.every(({ field, accepted }) => typeof field === 'string' && typeof accepted === 'string' && accepted);
  return whole ? null : `INVALID_INPUT does not say of which field, or what is accepted: ${JSON.stringify(details)}`;
}

/** The text of an answer without what the request had sent itself. */
function withoutEcho({ answer, body, path }: Exchange): string {
  let text = answer!.text;
  for (const found of text.match(new RegExp(insides, 'g')) ?? []) {
    const sent = `${body?.toString() ?? ''} ${decoded(path)}`;
    if (sent.includes(found)) text = text.replaceAll(found, '');
  }
  return text;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

const keys = (value: object): string => Object.keys(value).sort().join();

export const seen = ({ status, text }: Received): string => `${status} ${text.slice(0, 400)}`;
