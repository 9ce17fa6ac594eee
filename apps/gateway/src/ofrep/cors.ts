import { type IncomingHttpHeaders } from 'node:http';
import { isOfrepPath } from './ofrep-paths.js';

const exposed = { 'access-control-expose-headers': 'ETag, Retry-After, Age' };
const preflight = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': 'content-type, authorization, x-api-key, if-none-match, last-event-id, cache-control',
  'access-control-max-age': '7200',
};

/** Which origins' pages a browser lets ask over OFREP. `*`: those of any, since whoever asks needs a key and no cookie is one. */
export class Cors {
  private readonly ofAny: boolean;
  private readonly origins: Set<string>;

  constructor(origins: readonly string[]) {
    this.ofAny = origins.includes('*');
    this.origins = new Set(origins);
  }

  /** For every answer to a page of that origin; null where it may not ask, or no browser asks. */
  headersFor(origin: string | undefined): Record<string, string> | null {
    if (origin === undefined) return null;
    if (this.ofAny) return { 'access-control-allow-origin': '*', ...exposed };
    return this.origins.has(origin) ? { 'access-control-allow-origin': origin, vary: 'origin', ...exposed } : null;
  }

  /** For a browser's question whether a page may ask at all, which never carries a key; null for anything else. */
  preflightHeadersFor(method: string, path: string, headers: IncomingHttpHeaders): Record<string, string> | null {
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined || !isOfrepPath(path)) return null;
    const allowed = this.headersFor(headers.origin);
    return allowed && { ...allowed, ...preflight };
  }
}

export const originsAccepted = 'origins such as https://shop.example.com, separated by commas, or *';

/** Whether a text is an origin as a browser sends it, or `*`. */
export function isOrigin(text: string): boolean {
  if (text === '*') return true;
  try {
    const { origin, protocol } = new URL(text);
    return origin === text && !text.includes('*') && (protocol === 'https:' || protocol === 'http:');
  } catch {
    return false;
  }
}
