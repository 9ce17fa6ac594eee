import { spawn } from 'node:child_process';

/** Runs a command quietly; resolves to its exit code, output and seconds. */
export function run(command, args, env = {}) {
  const began = Date.now();
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    const stop = (signal) => child.kill(signal);
    process.on('SIGINT', stop).on('SIGTERM', stop);
    child.on('close', (code) => {
      process.off('SIGINT', stop).off('SIGTERM', stop);
      resolve({ code: code ?? 1, output, seconds: Math.round((Date.now() - began) / 100) / 10 });
    });
  });
}

export const npx = (name, args) => run(process.execPath, [`node_modules/${name}`, ...args]);
