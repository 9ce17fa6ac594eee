import { parseArgs } from 'node:util';
import { ServerError } from '#embedded/server-error.js';
import { ConfigError, readConfig } from '#runtime/config.js';
import { runDemo } from './demo/demo.process.js';
import { StandaloneConfig } from './standalone.config.js';
import { type Standalone, startStandalone, StartError } from './standalone.process.js';

const usage = `Usage: npm start [-- --demo [--speed N]]

  --demo       register example models, replay a real request trace, run a validation, print the metrics
  --speed N    replay the trace N times as fast as it was recorded (default 600; 1 takes an hour)

Environment: PORT (8080), HOST (127.0.0.1), DATA_DIR (.data), BOOTSTRAP_ADMIN_KEY, DATABASE_URL, NATS_URL, CORS_ORIGINS, LOG_LEVEL (warn)
`;

interface Arguments {
  demo: boolean;
  speed: number;
}

function readArguments(): Arguments {
  let values: { demo?: boolean; speed?: string; help?: boolean };
  try {
    ({ values } = parseArgs({ options: { demo: { type: 'boolean' }, speed: { type: 'string' }, help: { type: 'boolean', short: 'h' } } }));
  } catch (error) {
    throw new StartError(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  }
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const speed = Number(values.speed ?? 600);
  if (!(speed >= 1 && speed <= 100_000)) throw new StartError(`--speed must be a number from 1 to 100000\n\n${usage}`);
  return { demo: values.demo ?? false, speed };
}

const banner = ({ url, root, key, nats_url, dataDir }: Standalone): string => `
Enterprise Model Registry is ready.

  REST      ${url}
  API docs  ${root}/docs
  Key       ${key}   (admin)
  NATS      ${nats_url}   (to report inferences)
  Data      ${dataDir}

Try it:
  curl -H 'Authorization: Bearer ${key}' ${url}/types
  curl -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' -d '{"name":"My Model","version":"1.0.0","model_type":"transformer","sport":"MLB"}' ${url}/registry
  curl -H 'Authorization: Bearer ${key}' ${url}/registry

Model servers on this machine may be called by validations (loopback is allowed). Stop with Ctrl-C.
`;

const print = (line: string): void => console.log(line);
let running: Standalone | undefined;
let stopDemo: (() => Promise<void>) | undefined;
let stopping = false;
// A signal while servers are still starting is obeyed once they can be stopped.
let stopRequested = false;

async function stop(code: number): Promise<never> {
  if (stopping) process.exit(code);
  stopping = true;
  // Longer than the services take together: a validation run may be coming to its end.
  setTimeout(() => process.exit(code || 1), 40_000).unref();
  await stopDemo?.();
  await running?.close();
  process.exit(code);
}

async function run(): Promise<void> {
  const { demo, speed } = readArguments();
  const config = readConfig(StandaloneConfig, process.env);
  running = await startStandalone(config, print);
  if (stopRequested) await stop(0);
  print(banner(running));
  if (demo) stopDemo = await runDemo({ ...running, speed, print });
}

// SIGHUP: the terminal was closed, and the servers would outlive it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (running) void stop(0);
    else if (stopRequested) process.exit(1);
    else stopRequested = true;
  });
}

// npm passes SIGTERM to its shell, which dies of it and tells nobody: without its parent this process has no reason to stay.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM');
}, 500).unref();

try {
  await run();
} catch (error) {
  const expected = error instanceof StartError || error instanceof ConfigError || error instanceof ServerError;
  console.error(expected ? error.message : error);
  if (!expected) console.error('\nLogs are in DATA_DIR (.data). Set LOG_LEVEL=debug to see more.');
  await stop(1);
}
