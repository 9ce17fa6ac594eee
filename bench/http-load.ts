import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { freePort } from '#embedded/ports.js';
import { type SuiteProcesses, untilOk } from './suite.processes.js';

export const connections = 64;

export interface Asked {
  path: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  /** JSON. */
  body?: string;
  /** Default 200. */
  status?: number;
  /** Whether this is the right answer: a fast wrong one is none. */
  accepts: (body: string) => boolean;
}

/** Requests a second, and milliseconds. */
export interface Figure {
  rate: number;
  p50: number;
  p99: number;
}

/**
 * Asks over 64 connections, each in turn for all of `requests`: for so many seconds, or so many requests altogether, which is exact. Throws
 * where one is not answered, or not as it should be.
 */
export async function httpLoad(
  origin: string,
  requests: Asked[],
  load: { duration: number } | { amount: number },
  headers: Record<string, string> = {},
): Promise<Figure> {
  let answered = 0;
  let latest = 0;
  let wrong: string | undefined;
  const began = performance.now();
  const result = await autocannon({
    url: origin,
    connections,
    ...load,
    requests: requests.map(({ path, method = 'GET', accepts, status: expected = 200, body: sent, headers: own }) => ({
      path,
      method,
      headers: { ...headers, ...own, ...(sent !== undefined && { 'content-type': 'application/json' }) },
      ...(sent !== undefined && { body: sent }),
      onResponse: (status, body) => {
        answered += 1;
        latest = performance.now();
        if (status !== expected || !accepts(body)) wrong ??= `${method} ${path} answers ${status} ${body}`;
      },
    })),
  });
  const { errors, timeouts } = result;
  if (wrong !== undefined || errors + timeouts > 0) throw new Error(`${origin}: ${JSON.stringify({ errors, timeouts, wrong })}`);
  if ('amount' in load && answered !== load.amount) throw new Error(`${origin}: ${answered} of ${load.amount} requests were answered`);
  return { rate: (answered * 1_000) / (latest - began), p50: result.latency.p50, p99: result.latency.p99 };
}

/** The limit of HTTP here: a process with a bare Fastify route that answers `body`, to a GET unless `like` says otherwise. */
export async function startBare(
  suite: SuiteProcesses,
  body: string,
  like: Omit<Asked, 'path' | 'accepts'> = {},
): Promise<{ load(duration: number): Promise<Figure>; stop(): void }> {
  const file = join(suite.directory, 'body.json');
  writeFileSync(file, body);
  const port = String(await freePort());
  const child = suite.spawn('dist/bench/bare.server.js', [file, port]);
  const origin = `http://127.0.0.1:${port}`;
  await untilOk(origin);
  return {
    load: (duration) => httpLoad(origin, [{ ...like, path: '/', accepts: (answer) => answer === body }], { duration }),
    stop: () => void child.kill('SIGTERM'),
  };
}
