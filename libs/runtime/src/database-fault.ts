// Classes 08 (connection), 57 (shut down, starting up, cancelled by an operator or statement_timeout), 53 (out of resources), 28 (a login that is
// refused: of a process that runs, since its password was changed).
const transientClass = /^(08|28|53|57)/;
const networkCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH', 'EAI_AGAIN']);
const driverMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Driver not Connected)/;

/** Whether PostgreSQL was away, overloaded or restarting: the same request may succeed in a moment. */
export function isDatabaseAway(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, message, driverError, cause } = error as { code?: unknown; message?: unknown; driverError?: unknown; cause?: unknown };
  if (typeof code === 'string' && (transientClass.test(code) || networkCodes.has(code))) return true;
  if (typeof message === 'string' && driverMessages.test(message)) return true;
  return (driverError !== undefined && isDatabaseAway(driverError)) || (cause !== undefined && isDatabaseAway(cause));
}

/** Whether PostgreSQL does not let this user in: no such role, a wrong password, or not from here. */
export const isLoginRefused = (error: unknown): boolean => /^28/.test(String((error as { code?: unknown }).code));

/** Whether a unique index refused the row; `constraint` narrows it to one index. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const driverError = (error as { driverError?: { code?: string; constraint?: string } }).driverError;
  return driverError?.code === '23505' && (!constraint || driverError.constraint === constraint);
}
