import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { natsBinary, systemLookup } from '#embedded/nats-binary.js';

export const median = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

/** Median (min–max). */
export const spread = (numbers: number[], digits: number): string =>
  `${median(numbers).toFixed(digits)} (${Math.min(...numbers).toFixed(digits)}–${Math.max(...numbers).toFixed(digits)})`;

/** How busy the machine is at the start of a run: processes that run or wait, over the last minute. */
export const loadBefore = loadavg()[0] ?? 0;

/** What a figure was measured on. */
export async function machineLine(): Promise<string> {
  const nats = execFileSync(await natsBinary(systemLookup(), console.log), ['--version'], { encoding: 'utf8' }).trim();
  const cores = `${cpus().length} cores (${cpus()[0]?.model})`;
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const day = new Date().toISOString().slice(0, 10);
  return `${day}, ${cores}, ${memory}, Linux ${release()}, Node ${process.version}, PostgreSQL 18 (embedded), ${nats}; load before ${loadBefore.toFixed(2)}.`;
}

/** Puts `text` between the markers of `name` in docs/benchmarks.md. Throws where there are none. */
export function writeSection(name: string, text: string): void {
  const file = 'docs/benchmarks.md';
  const [open, close] = [`<!-- ${name} -->\n`, `\n<!-- /${name} -->`];
  const before = readFileSync(file, 'utf8');
  const [from, to] = [before.indexOf(open), before.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`${file} has no section between ${open.trim()} and ${close.trim()}`);
  writeFileSync(file, before.slice(0, from + open.length) + text + before.slice(to));
}
