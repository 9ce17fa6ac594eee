import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A signal and how long, in milliseconds, the process may take to obey it before the next one is sent. */
export type Shutdown = readonly (readonly [signal: NodeJS.Signals, waitMs: number])[];

const onLinux = process.platform === 'linux';

/**
 * When the process began, in a form that only means something compared with itself: a pid alone is used again after a restart, the pair is not.
 * Undefined when there is no such process, or only a zombie that nobody has reaped.
 */
export function startOf(pid: number): string | undefined {
  if (!onLinux) return askPs(pid, 'lstart=');
  const stat = readProc(pid, 'stat');
  // The second field is the program's name and may hold spaces and brackets, so counting starts behind its last bracket.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' ? undefined : fields[19];
}

/** True when the process `pid` lives and was started with all these words among its arguments. */
export function runsWith(pid: number, words: readonly string[]): boolean {
  if (startOf(pid) === undefined) return false;
  if (!onLinux) return (askPs(pid, 'command=') ?? '').includes(words.join(' '));
  const args = (readProc(pid, 'cmdline') ?? '').split('\0');
  return words.every((word) => args.includes(word));
}

/** Sends the signals in turn until the process is gone. Throws when it outlives the last one. */
export async function shutDown(pid: number, name: string, shutdown: Shutdown): Promise<void> {
  const started = startOf(pid);
  const gone = (): boolean => started === undefined || startOf(pid) !== started;
  for (const [signal, waitMs] of shutdown) {
    if (gone()) return;
    send(pid, signal);
    for (const until = Date.now() + waitMs; Date.now() < until && !gone();) await sleep(20);
  }
  if (!gone()) throw new Error(`${name} (process ${pid}) does not stop; end it with: kill -9 ${pid}`);
}

/** Sends a signal to a process that may just have ended. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

function askPs(pid: number, column: string): string | undefined {
  try {
    return (
      execFileSync('ps', ['-ww', '-o', column, '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() ||
      undefined
    );
  } catch {
    return undefined;
  }
}
