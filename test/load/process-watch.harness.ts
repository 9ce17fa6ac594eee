import { readdirSync, readFileSync } from 'node:fs';
import { type FaultSuite } from '../faults/fault-suite.harness.js';
import { type Sample } from './soak-verdict.harness.js';

const bytesOf = (status: string): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? NaN) * 1_024;

/** What Linux says of a process's memory, in bytes. */
export const memoryOf = (pid: number): number => bytesOf(readFileSync(`/proc/${pid}/status`, 'utf8'));

/** Memory, open files and sockets, and the event loop's lag of a process of the suite, as it is now. Linux alone tells of the first two. */
export async function sampleOf(suite: FaultSuite, name: string): Promise<Sample> {
  const pid = suite.pidOf(name);
  const metrics = await (await fetch(`${suite.rootOf(name)}/metrics`)).text();
  const lag_s = /^emr_nodejs_eventloop_lag_p99_seconds(?:\{.*\})? (\S+)$/m.exec(metrics)?.[1];
  return {
    name,
    at_ms: Date.now(),
    memory_bytes: memoryOf(pid),
    handles: readdirSync(`/proc/${pid}/fd`).length,
    lag_ms: Number(lag_s ?? NaN) * 1_000,
  };
}
