import { ConfigError } from './config.js';
import { type Running } from './service.js';

const shutdownDeadlineMs = 25_000;

/**
 * Runs a process until SIGTERM or SIGINT, then lets it finish what is in hand. A mistake in the configuration ends it at once with code 78
 * and a sentence; a second signal, or 25 s, ends it without waiting.
 */
export async function runUntilSignal(start: () => Promise<Running>): Promise<void> {
  let running: Running | undefined;
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping || !running) process.exit(signal === 'SIGINT' ? 130 : 143);
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
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  try {
    running = await start();
  } catch (error) {
    process.stderr.write(error instanceof ConfigError ? `${error.message}\n` : `${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(error instanceof ConfigError ? 78 : 1);
  }
}
