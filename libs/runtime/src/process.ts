import { ConfigError } from './config.js';
import { type Running } from './service.js';

const shutdownDeadlineMs = 25_000;

/** What ends a process, and the code by which it says so when it does not wait. SIGHUP: the terminal was closed. */
const exitCodes = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;
type EndingSignal = keyof typeof exitCodes;

/**
 * Runs a process until SIGTERM, SIGINT or SIGHUP, then lets it finish what is in hand. A mistake in the configuration ends it at once with code 78
 * and a sentence; a second signal, or 25 s, ends it without waiting.
 */
export async function runUntilSignal(start: () => Promise<Running>): Promise<void> {
  let running: Running | undefined;
  let stopping = false;
  const stop = (signal: EndingSignal): void => {
    if (stopping || !running) process.exit(exitCodes[signal]);
    stopping = true;
    setTimeout(() => process.exit(1), shutdownDeadlineMs).unref();
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`Could not stop cleanly: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  for (const signal of Object.keys(exitCodes) as EndingSignal[]) process.on(signal, () => stop(signal));
  try {
    running = await start();
  } catch (error) {
    endWith(error);
  }
}

function endWith(error: unknown): never {
  process.stderr.write(error instanceof ConfigError ? `${error.message}\n` : `${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(error instanceof ConfigError ? 78 : 1);
}

/** Runs a service as its command line says: nothing starts it, `migrate` brings its schema up to date and ends; anything else is a mistake. */
export async function runService(
  command: string | undefined,
  { start, migrate }: { start: () => Promise<Running>; migrate: () => Promise<string[]> },
): Promise<void> {
  if (command === undefined) return runUntilSignal(start);
  try {
    if (command !== 'migrate') throw new ConfigError(`There is no command ${command}; there is migrate, or none to start the service.`);
    const names = await migrate();
    process.stdout.write(names.length > 0 ? `Migrated: ${names.join(', ')}\n` : 'Nothing to migrate\n');
    process.exit(0);
  } catch (error) {
    endWith(error);
  }
}
