import { type AppError } from '#contracts/errors.js';

/** An error as OFREP's clients know it: `key` beside the code where one flag was asked for. Without a body where they look at none. */
export interface OfrepError {
  status: number;
  body: { key?: string; errorCode: string; errorDetails: string } | null;
}

const bodiless = new Set([401, 403, 429]);

/**
 * Whatever a client could mend in its request is a 400: any other status it takes for an answer of somebody else. Of 503 it would say the same,
 * but proxies understand it.
 */
export function ofrepErrorOf(error: AppError, key: string | undefined): OfrepError {
  const { status, code, message } = error;
  if (bodiless.has(status)) return { status, body: null };
  const body = (errorCode: string): OfrepError['body'] => ({
    ...(key !== undefined && { key }),
    errorCode,
    errorDetails: detailsOf(error, message),
  });
  if (code === 'FLAG_NOT_FOUND') return { status: 404, body: body('FLAG_NOT_FOUND') };
  if (code === 'INVALID_INPUT') return { status: 400, body: body('INVALID_CONTEXT') };
  if (status < 500) return { status: 400, body: body('PARSE_ERROR') };
  return { status, body: body('GENERAL') };
}

function detailsOf({ details }: AppError, message: string): string {
  const accepted = details?.accepted;
  return typeof accepted === 'string' ? `${message}; accepted: ${accepted}` : message;
}
