import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type SuiteProcesses } from '../suite.processes.js';

/** A load generator in a process of its own, which has made ready everything that it will send. */
export interface Load<Result> {
  run(): Promise<Result>;
}

type Said<Result> = { ready: true } | { result: Result };

/** Runs the script `name`.load, and resolves once it is prepared. */
export async function startLoad<Result>(suite: SuiteProcesses, name: string, options: object): Promise<Load<Result>> {
  const child = suite.spawn(`dist/bench/ingest/${name}.load.js`, [], { channel: true });
  child.send(options);
  await next<Result>(child, name);
  return {
    async run() {
      const said = next<Result>(child, name);
      child.send('go');
      const message = await said;
      if (!('result' in message)) throw new Error(`${name} gave no result`);
      return message.result;
    },
  };
}

async function next<Result>(child: ChildProcess, name: string): Promise<Said<Result>> {
  const ended = new AbortController();
  const exit = once(child, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`${name} ended with ${code}`);
  });
  const message = once(child, 'message', { signal: ended.signal }) as Promise<[Said<Result>]>;
  try {
    return (await Promise.race([message, exit]))[0];
  } finally {
    ended.abort();
    await Promise.allSettled([message, exit]);
  }
}

/** The child's side: prepares with the options that it is sent, runs when told to, says what came of it, and ends. */
export async function beLoad<Options>(prepare: (options: Options) => Promise<() => Promise<object>>): Promise<void> {
  const [options] = (await once(process, 'message')) as [Options];
  const run = await prepare(options);
  const go = once(process, 'message');
  process.send!({ ready: true });
  await go;
  process.send!({ result: await run() }, () => process.exit(0));
}
