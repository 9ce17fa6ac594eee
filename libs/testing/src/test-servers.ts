import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, stopOrphanedNats } from '#embedded/nats.js';
import { claimDirectory, ownerOf } from '#embedded/owner-lock.js';
import { startPostgres, stopOrphanedPostgres } from '#embedded/postgres.js';
import { execute, servicesTemplate } from './database.js';

const prefix = 'emr-test-';
// Between making its directory and claiming it a run has no owner for an instant.
const youngMs = 60_000;
const companionEndsWithinMs = 10_000;

let stop: (() => Promise<void>) | undefined;
let companion: ChildProcess | undefined;

/**
 * Starts what the spec files share, in a directory of its own, and names it in this process's environment, which Vitest's workers inherit. Started
 * already: does nothing.
 */
export async function startTestServers(): Promise<void> {
  if (stop) return;
  await removeDeadRuns();
  const directory = await mkdtemp(join(tmpdir(), prefix));
  const release = claimDirectory(directory);
  const stops: (() => Promise<void>)[] = [];
  stop = async () => {
    await Promise.all(stops.map((end) => end()));
    await removeRun(directory);
    release();
  };
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => void stopTestServers().finally(() => process.exit(code)));
  }
  const started = await Promise.allSettled([
    startPostgres({ dataDir: join(directory, 'postgres'), durable: false }),
    startNats({ storeDir: join(directory, 'nats'), onNotice: (line) => process.stdout.write(`${line}\n`) }),
  ]);
  for (const one of started) if (one.status === 'fulfilled') stops.push(one.value.stop);
  const [postgres, nats] = started;
  if (postgres.status === 'rejected' || nats.status === 'rejected') {
    await stopTestServers();
    throw [postgres, nats].find((one) => one.status === 'rejected')?.reason;
  }
  await execute(postgres.value.url, `CREATE DATABASE ${servicesTemplate} TEMPLATE emr`);
  Object.assign(process.env, { TEST_DATABASE_URL: postgres.value.url, TEST_NATS_URL: nats.value.url, TEST_SERVERS_DIR: directory });
}

/** Runs a script of Node beside the servers, with their names in its environment. It is to end when its standard input does. */
export function startCompanion(script: string): void {
  companion = spawn(process.execPath, [script], { stdio: ['pipe', 'inherit', 'inherit'] });
}

/** Ends them and removes their directory, with whatever a spec file left there. */
export async function stopTestServers(): Promise<void> {
  const end = stop;
  stop = undefined;
  await endCompanion();
  await end?.();
}

async function endCompanion(): Promise<void> {
  const child = companion;
  companion = undefined;
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), companionEndsWithinMs);
  await exit;
  clearTimeout(timer);
}

/** A run that was killed could not clean up after itself: the next one does. */
async function removeDeadRuns(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const directory = join(tmpdir(), name);
    if (!name.startsWith(prefix) || ownerOf(directory) !== undefined) continue;
    const { mtimeMs, uid } = await stat(directory).catch(() => ({ mtimeMs: Date.now(), uid: -1 }));
    const mine = process.getuid === undefined || uid === process.getuid();
    if (mine && Date.now() - mtimeMs > youngMs) await removeRun(directory);
  }
}

async function removeRun(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory()) continue;
    await stopOrphanedPostgres(join(directory, entry.name));
    await stopOrphanedNats(join(directory, entry.name));
  }
  await rm(directory, { recursive: true, force: true });
}
