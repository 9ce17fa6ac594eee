import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '#embedded/ports.js';
import { HttpConnection, requestBytes } from './http-connection.js';
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
  const prepared = requests.map(({ path, method = 'GET', body, headers: own }) =>
    requestBytes(new URL(origin).host, {
      ...{ path, method, body },
      headers: { ...headers, ...own, ...(body !== undefined && { 'content-type': 'application/json' }) },
    }),
  );
  const opened = await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(origin)));
  const durations: number[] = [];
  const began = performance.now();
  let latest = began;
  const until = 'duration' in load ? began + load.duration * 1_000 : Infinity;
  const asking = opened.map((connection, index) => {
    let left = 'amount' in load ? Math.floor(load.amount / connections) + (index < load.amount % connections ? 1 : 0) : Infinity;
    let at = -1;
    let asked = 0;
    const next = (): Buffer | null => {
      if (left === 0 || latest >= until) return null;
      left -= 1;
      at = (at + 1) % requests.length;
      asked = performance.now();
      return prepared[at]!;
    };
    return connection.askAll(next, ({ status, body }) => {
      latest = performance.now();
      durations.push(latest - asked);
      const { path, status: expected = 200, accepts } = requests[at]!;
      if (status !== expected || !accepts(body)) throw new Error(`${origin}${path} answers ${status} ${body}`);
    });
  });
  try {
    await Promise.all(asking);
  } finally {
    for (const connection of opened) connection.close();
  }
  durations.sort((a, b) => a - b);
  const at = (rank: number): number => durations[Math.ceil(durations.length * rank) - 1]!;
  return { rate: (durations.length * 1_000) / (latest - began), p50: at(0.5), p99: at(0.99) };
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
