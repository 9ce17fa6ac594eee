import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { claimDirectory } from './owner-lock.js';
import { runsWith, send, type Shutdown, shutDown } from './os-process.js';
import { freePort } from './ports.js';
import { ServerError } from './server-error.js';

/** A server that runs as a child of this process. */
export interface RunningServer {
  readonly url: string;
  readonly port: number;
  /** Undefined while the server is down. */
  readonly pid: number | undefined;
  /** Ends the server, gently at first, and gives its directory up. A second call waits for the first. */
  readonly stop: () => Promise<void>;
}

export interface StartOptions {
  /** The port to take if it is free, else the next free one; without it, any. */
  port?: number | undefined;
  /** Told, in one line each, what a person at the terminal would like to know. */
  onNotice?: ((line: string) => void) | undefined;
  /** Whether the server is started again on its port when it ends by itself; true unless said otherwise. */
  revive?: boolean | undefined;
}

export interface Invocation {
  command: string;
  args: readonly string[];
  /** Besides what every server gets. */
  env?: Readonly<Record<string, string>> | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
}

export interface ServerPlan {
  name: string;
  /** Holds the owner lock, the pid file and the log; one server each. */
  directory: string;
  /** Arguments by which a process is known to be this server on this directory. */
  marks: readonly string[];
  shutdown: Shutdown;
  /** How long, in milliseconds, the server may take until it answers. */
  readyWithinMs: number;
  /** What to do when it does not start, said after the end of its log. */
  advice: string;
  /** Runs once, when the directory is ours and no orphan is left on it. */
  prepare(): Promise<void>;
  /** Runs before every start: removes what a server that was killed leaves behind. */
  clear(): void;
  invoke(port: number): Invocation;
  /** Whether the server answers at the port; throws when it never will. */
  answers(port: number): Promise<boolean>;
  url(port: number): string;
}

const pidName = 'server.pid';
const startAttempts = 10;
const portTaken = /address already in use/i;
const predecessorStillThere = /pre-existing shared memory block/;
const longestRevivalPauseMs = 5_000;

class StartFailed extends ServerError {
  constructor(
    plan: ServerPlan,
    what: string,
    readonly log: string,
  ) {
    const lastLines = log.trim().split('\n').slice(-12).join('\n  ');
    super(
      `${plan.name} did not start: ${what}. The end of ${join(plan.directory, 'server.log')}:\n  ${lastLines || '(empty)'}\n${plan.advice}`,
    );
  }
}

/** Starts the server of a plan; see `RunningServer`. Throws DirectoryInUse, or an error with the end of the server's log and what to do next. */
export async function startManaged(plan: ServerPlan, { port: preferred, onNotice, revive = true }: StartOptions): Promise<RunningServer> {
  const release = claimDirectory(plan.directory);
  try {
    await stopOrphan(plan);
    await plan.prepare();
    const { child, port } = await startSomewhere(plan, preferred);
    return new Managed(plan, port, child, release, revive, onNotice ?? (() => undefined));
  } catch (error) {
    release();
    throw error;
  }
}

/** Ends the server that a killed owner left running on a directory, if there is one. Its directory must be owned by the caller or by nobody. */
export async function stopOrphan(plan: Pick<ServerPlan, 'name' | 'directory' | 'marks' | 'shutdown'>): Promise<void> {
  const pidFile = join(plan.directory, pidName);
  const pid = Number(readIfThere(pidFile));
  // The number may by now belong to a stranger: only a process that carries the directory in its arguments is ended.
  if (pid > 0 && runsWith(pid, plan.marks)) await shutDown(pid, plan.name, plan.shutdown);
  rmSync(pidFile, { force: true });
}

class Managed implements RunningServer {
  readonly url: string;
  private stopped: Promise<void> | undefined;
  private readonly stopping = new AbortController();
  private revival: Promise<void> = Promise.resolve();

  constructor(
    private readonly plan: ServerPlan,
    readonly port: number,
    private child: ChildProcess | undefined,
    private readonly release: () => void,
    private readonly revive: boolean,
    private readonly notify: (line: string) => void,
  ) {
    this.url = plan.url(port);
    this.watch(child);
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  readonly stop = (): Promise<void> => {
    this.stopped ??= this.end();
    return this.stopped;
  };

  private async end(): Promise<void> {
    this.stopping.abort();
    await this.revival;
    if (this.pid !== undefined) await shutDown(this.pid, this.plan.name, this.plan.shutdown);
    // Gone, though this process may not have been told of its exit yet.
    this.child = undefined;
    rmSync(join(this.plan.directory, pidName), { force: true });
    this.release();
  }

  private watch(child: ChildProcess | undefined): void {
    const onEnd = (): void => {
      this.child = undefined;
      if (this.stopping.signal.aborted) return;
      const how = child?.signalCode ?? `exit code ${child?.exitCode}`;
      this.notify(`${this.plan.name} ended by itself (${how})${this.revive ? '; starting it again' : ''}.`);
      if (this.revive) this.revival = this.startAgain();
    };
    // It may have ended between its first answer and now.
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) onEnd();
    else child.once('exit', onEnd);
  }

  private async startAgain(): Promise<void> {
    for (let pauseMs = 500; !this.stopping.signal.aborted; pauseMs = Math.min(pauseMs * 2, longestRevivalPauseMs)) {
      try {
        await sleep(pauseMs, undefined, { signal: this.stopping.signal });
        this.child = await startOnce(this.plan, this.port);
      } catch {
        // Ended again before it answered (its log says why), or stop() was called: the loop decides.
        continue;
      }
      this.notify(`${this.plan.name} is back on port ${this.port}.`);
      this.watch(this.child);
      return;
    }
  }
}

async function startSomewhere(plan: ServerPlan, preferred: number | undefined): Promise<{ child: ChildProcess; port: number }> {
  let port = await freePort(preferred);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { child: await startOnce(plan, port), port };
    } catch (error) {
      if (!(error instanceof StartFailed) || attempt === startAttempts) throw error;
      if (portTaken.test(error.log)) port = await freePort(preferred === undefined ? undefined : port + 1);
      else if (predecessorStillThere.test(error.log)) await sleep(500);
      else throw error;
    }
  }
}

async function startOnce(plan: ServerPlan, port: number): Promise<ChildProcess> {
  plan.clear();
  const logFile = join(plan.directory, 'server.log');
  const { command, args, env, uid, gid } = plan.invoke(port);
  const log = openLog(logFile);
  const child = spawn(command, args, {
    cwd: '/',
    // A group of its own: Ctrl-C at the terminal must reach the services first, and they end their servers last.
    detached: true,
    stdio: ['ignore', log, log],
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC', ...env },
    ...(uid === undefined ? {} : { uid, gid }),
  });
  closeSync(log);
  child.unref();
  endWithOwner(child, plan.shutdown);
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  if (child.pid !== undefined) writeFileSync(join(plan.directory, pidName), `${child.pid}\n`);
  const ended = (): boolean => failure !== undefined || child.exitCode !== null || child.signalCode !== null;
  try {
    for (const until = Date.now() + plan.readyWithinMs; Date.now() < until && !ended(); await sleep(20)) {
      if (await plan.answers(port)) return child;
    }
  } catch (error) {
    failure = error as Error;
  }
  const reason =
    failure?.message ??
    (ended() ? `it ended with ${child.signalCode ?? `code ${child.exitCode}`}` : `no answer in ${plan.readyWithinMs / 1000} s`);
  if (child.pid !== undefined) await shutDown(child.pid, plan.name, plan.shutdown);
  throw new StartFailed(plan, reason, readIfThere(logFile));
}

/** A process that ends without stop(), say by an uncaught error, still takes its server with it. */
function endWithOwner(child: ChildProcess, [gentlest]: Shutdown): void {
  const onOwnerExit = (): void => {
    if (child.pid !== undefined && gentlest) send(child.pid, gentlest[0]);
  };
  process.on('exit', onOwnerExit);
  child.once('exit', () => process.off('exit', onOwnerExit));
}

/** Every start has a log of its own, so that its end tells about this start; the one before is kept. */
function openLog(file: string): number {
  try {
    renameSync(file, `${file}.previous`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return openSync(file, 'w', 0o600);
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
