import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { freePort } from '#embedded/ports.js';
import { type SuiteProcesses, untilOk } from './suite.processes.js';

export const connections = 64;

export interface Asked {
  path: string;
  method?: 'GET' | 'POST';
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
    requests: requests.map(({ path, method = 'GET', accepts }) => ({
      path,
      method,
      headers,
      onResponse: (_status, body) => {
        answered += 1;
        latest = performance.now();
        if (!accepts(body)) wrong ??= `${method} ${path} answers ${body}`;
      },
    })),
  });
  const { non2xx, errors, timeouts } = result;
  if (wrong !== undefined || non2xx + errors + timeouts > 0)
    throw new Error(`${origin}: ${JSON.stringify({ non2xx, errors, timeouts, wrong })}`);
  if ('amount' in load && answered !== load.amount) throw new Error(`${origin}: ${answered} of ${load.amount} requests were answered`);
  return { rate: (answered * 1_000) / (latest - began), p50: result.latency.p50, p99: result.latency.p99 };
}

/** The limit of HTTP here: a process with a bare Fastify route that answers `body`. */
export async function startBare(suite: SuiteProcesses, body: string): Promise<{ load(duration: number): Promise<Figure>; stop(): void }> {
  const file = join(suite.directory, 'body.json');
  writeFileSync(file, body);
  const port = String(await freePort());
  const child = suite.spawn('dist/bench/bare.server.js', [file, port]);
  const origin = `http://127.0.0.1:${port}`;
  await untilOk(origin);
  return {
    load: (duration) => httpLoad(origin, [{ path: '/', accepts: (answer) => answer === body }], { duration }),
    stop: () => void child.kill('SIGTERM'),
  };
}
