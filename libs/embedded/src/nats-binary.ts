import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { ServerError } from './server-error.js';

/** What the search for nats-server goes by; replaced in tests. */
export interface NatsLookup {
  /** Folders looked into, first one first. */
  folders: readonly string[];
  /** The system's package manager, if this process may use it. */
  packageManager: string | undefined;
  /** The file by which Debian is told which services an installation may start. */
  servicePolicy: string;
}

export function systemLookup(): NatsLookup {
  // Debian installs it where the PATH of an ordinary user does not lead.
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/local/bin', '/usr/sbin', '/opt/homebrew/bin'];
  const packageManager = process.getuid?.() === 0 ? findIn(folders, 'apt-get') : undefined;
  return { folders, packageManager, servicePolicy: '/usr/sbin/policy-rc.d' };
}

/** Path of a nats-server, installed if there is none and that is allowed. Throws a ServerError saying what to type. */
export async function natsBinary(lookup: NatsLookup, onNotice: (line: string) => void): Promise<string> {
  const found = findIn(lookup.folders, 'nats-server');
  if (found) return found;
  if (!lookup.packageManager) throw new ServerError(advice);
  onNotice('nats-server is missing; installing it with apt-get ...');
  await install(lookup.packageManager, lookup.servicePolicy).catch((error: Error & { stderr?: string }) => {
    throw new ServerError(
      `apt-get could not install nats-server: ${(error.stderr ?? error.message).trim().split('\n').slice(-5).join('\n  ')}\n${advice}`,
    );
  });
  const installed = findIn(lookup.folders, 'nats-server');
  if (!installed) throw new ServerError(advice);
  return installed;
}

const advice =
  'There is no nats-server on this machine: install it (`sudo apt-get install nats-server`, or `brew install nats-server`), ' +
  'or set NATS_URL to a NATS server with JetStream.';

async function install(aptGet: string, servicePolicy: string): Promise<void> {
  const run = (...args: string[]): Promise<unknown> =>
    promisify(execFile)(aptGet, ['-qq', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  const installPackage = (): Promise<unknown> => run('install', '-y', '--no-install-recommends', 'nats-server');
  // Debian's package starts a server of its own on port 4222 unless a policy forbids it (101: "action forbidden by policy").
  const policyIsOurs = !existsSync(servicePolicy);
  if (policyIsOurs) writeFileSync(servicePolicy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    // The package lists may be missing, as in most container images, or old.
    await installPackage().catch(() => run('update').then(installPackage));
  } finally {
    if (policyIsOurs) rmSync(servicePolicy, { force: true });
  }
}

function findIn(folders: readonly string[], name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
