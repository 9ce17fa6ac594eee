import { type IncomingHttpHeaders } from 'node:http';
import { isOfrepPath } from './ofrep-paths.js';

/** For every answer to a browser: any page may ask, since whoever asks needs a key and no cookie is one. */
export const corsHeaders: Record<string, string> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'ETag, Retry-After, Age',
};

export const preflightHeaders: Record<string, string> = {
  ...corsHeaders,
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': 'content-type, authorization, x-api-key, if-none-match, last-event-id, cache-control',
  'access-control-max-age': '7200',
};

/** A browser's question whether it may ask at all, which never carries a key. Its answer is always the same and does nothing. */
export const isPreflight = (method: string, path: string, headers: IncomingHttpHeaders): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined && isOfrepPath(path);
