/**
 * The seed of all schedules and, in seconds, how long each disturbance lasts: `npm run test:faults -- --seed N --seconds S` sets them; without
 * it CI's fixed seed and each test's own short time.
 */
export const seed = Number(process.env.FAULTS_SEED ?? 1);
const givenSeconds = process.env.FAULTS_SECONDS;

/** Where the processes of a run keep their logs, with a line a request: `--logs DIRECTORY`. */
export const logsDirectory = process.env.FAULTS_LOGS;

/** Not in `npm test`. */
export const isLong = givenSeconds !== undefined;

export const lastingMs = (shortSeconds: number): number => Number(givenSeconds ?? shortSeconds) * 1_000;

/** A deadline that is promised, and what `npm test` allows, where other tests take half of the machine. */
export const promisedMs = (ms: number): number => (isLong ? ms : 2 * ms);

/** What a test may take: its disturbance, the 30 s in which everything must be counted, and starts and stops on two busy cores. */
export const timeoutMs = (shortSeconds: number): number => lastingMs(shortSeconds) + 90_000 + promisedMs(30_000);

/** Mulberry32, one sequence for each (seed, name): which tests run, and in which order, changes nobody's schedule. */
export class Random {
  private state: number;

  constructor(seed: number, name: string) {
    this.state = [...`${seed} ${name}`].reduce((hash, character) => Math.imul(hash ^ character.codePointAt(0)!, 0x01000193), 0x811c9dc5);
  }

  /** 0 ≤ number < 1 */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.whole(0, items.length - 1)]!;
  }
}

export interface Step<What> {
  /** Since the beginning of the disturbance. */
  at_ms: number;
  what: What;
  /** How long it is kept up. */
  for_ms: number;
}

/** What happens when, all drawn before anything happens: one step after the other until `lasting_ms` are over, each of `all` in turn at first. */
export function schedule<What>(
  random: Random,
  all: readonly What[],
  lasting_ms: number,
  pauseMs: readonly [from: number, to: number],
  forMs: readonly [from: number, to: number],
): Step<What>[] {
  const steps: Step<What>[] = [];
  const first = [...all];
  for (let at_ms = random.whole(...pauseMs); at_ms < lasting_ms;) {
    const what = first.length ? first.splice(random.whole(0, first.length - 1), 1)[0]! : random.pick(all);
    const for_ms = random.whole(...forMs);
    steps.push({ at_ms, what, for_ms });
    at_ms += for_ms + random.whole(...pauseMs);
  }
  return steps;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Carries out a schedule; a step that is late is not skipped. */
export async function carryOut<What>(
  steps: readonly Step<What>[],
  begin: (what: What) => Promise<unknown> | void,
  end: (what: What) => Promise<unknown> | void,
): Promise<void> {
  const began = Date.now();
  for (const { at_ms, what, for_ms } of steps) {
    await sleep(Math.max(0, began + at_ms - Date.now()));
    await begin(what);
    await sleep(for_ms);
    await end(what);
  }
}
