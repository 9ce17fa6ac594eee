import { readFileSync } from 'node:fs';
import { type FaultSuite } from '../faults/fault-suite.harness.js';
import { handlesOf } from './handles.harness.js';
import { inspectorOf, liveBytes } from './live-heap.harness.js';
import { type Sample } from './soak-verdict.harness.js';

const bytesOf = (status: string): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? NaN) * 1_024;

/** What Linux says of a process's memory, in bytes. */
export const memoryOf = (pid: number): number => bytesOf(readFileSync(`/proc/${pid}/status`, 'utf8'));

const portOf = (url: string): number => Number(new URL(url).port);

/**
 * Memory, open files and sockets, timers, and the event loop's lag of a process of the suite, which is inspected, as it is now. Linux alone tells of the first two.
 * Of its clients those `connections` are left out that the generator of the load has.
 */
export async function sampleOf(suite: FaultSuite, name: string, connections: () => number): Promise<Sample> {
  const pid = suite.pidOf(name);
  const metrics = await (await fetch(`${suite.rootOf(name)}/metrics`)).text();
  const read = (metric: string, label = ''): number =>
    Number(new RegExp(`^${metric}(?:\\{[^}]*${label}[^}]*\\})? (\\S+)$`, 'm').exec(metrics)?.[1] ?? NaN);
  const servers = { nats: suite.nats.port, postgres: portOf(suite.postgres.url) };
  const handles = handlesOf(pid, { own: portOf(suite.rootOf(name)), servers });
  return {
    name,
    at_ms: Date.now(),
    memory_bytes: memoryOf(pid),
    live_bytes: await liveBytes(inspectorOf(suite.saidBy(name))),
    handles: { ...handles, clients: (handles.clients ?? 0) - connections(), timers: read('emr_nodejs_active_resources', 'type="Timeout"') },
    lag_ms: read('emr_nodejs_eventloop_lag_p99_seconds') * 1_000,
  };
}
