import { type IncomingHttpHeaders } from 'node:http';
import { AppError } from '#contracts/errors.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });
const charsetPattern = /;\s*charset\s*=\s*"?([^";\s]*)/i;

/** Throws UNSUPPORTED_MEDIA_TYPE where the headers announce something else than plain UTF-8. */
export function assertPlainText(headers: IncomingHttpHeaders): void {
  const refuse = (field: string, accepted: string): never => {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'The body is not plain text in UTF-8', { field, accepted });
  };
  const charset = charsetPattern.exec(headers['content-type'] ?? '')?.[1]?.toLowerCase();
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8') refuse('Content-Type', 'the same, in UTF-8');
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') refuse('Content-Encoding', 'none: the body as it is');
}

/** The text of a JSON body. Throws UNSUPPORTED_MEDIA_TYPE as above, INVALID_JSON where it is not UTF-8. */
export function jsonTextOf(body: Uint8Array, headers: IncomingHttpHeaders): string {
  assertPlainText(headers);
  try {
    return utf8.decode(body);
  } catch {
    throw new AppError('INVALID_JSON', 'The body is not UTF-8', { field: '(body)', accepted: 'JSON in UTF-8' });
  }
}
