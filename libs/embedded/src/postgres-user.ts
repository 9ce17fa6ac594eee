import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type Invocation } from './managed-server.js';
import { ServerError } from './server-error.js';

export interface Account {
  uid: number;
  gid: number;
}

/** Turns a command line into one that runs as somebody PostgreSQL accepts. */
export type RunAs = (command: string, args: readonly string[]) => Invocation;

/** PostgreSQL refuses to be run by root: whom it runs as instead, or undefined when this process is not root and may run it itself. */
export function accountForPostgres(dataOwner: Account | undefined): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  // Data made by an ordinary user stays readable for that user.
  if (dataOwner && dataOwner.uid !== 0) return dataOwner;
  // initdb asks for the name of its user, so a number without an account will not do.
  const account = accountNamed('postgres') ?? accountNamed('nobody');
  if (!account)
    throw new ServerError('PostgreSQL does not run as root, and neither the user postgres nor nobody exists; start as an ordinary user');
  return account;
}

/**
 * How `account` runs `program` on `directory`. Where a folder above them is closed to it (a checkout below /root or a `mktemp -d`), it is
 * lent the one capability of passing closed folders rather than having that folder's mode changed.
 */
export function runAs(account: Account | undefined, program: string, directory: string): RunAs {
  if (!account) return (command, args) => ({ command, args });
  const { uid, gid } = account;
  const plain: RunAs = (command, args) => ({ command, args, uid, gid });
  const lent: RunAs = (command, args) => ({
    command: 'setpriv',
    args: [
      ...[`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--inh-caps=+dac_override', '--ambient-caps=+dac_override'],
      // Without it access(2), by which PostgreSQL looks for its own files, disregards capabilities of anyone but root.
      '--securebits=+no_setuid_fixup',
      ...['--', command, ...args],
    ],
  });
  for (const way of [plain, lent]) if (reaches(way, program, directory)) return way;
  throw new ServerError(
    `PostgreSQL does not run as root, and the user with id ${uid} can reach neither ${program} nor ${directory}; ` +
      'start as an ordinary user, set DATA_DIR and the checkout to folders others may enter, or set DATABASE_URL to a PostgreSQL of your own',
  );
}

function reaches(way: RunAs, program: string, directory: string): boolean {
  const { command, args, uid, gid } = way('/bin/sh', ['-c', 'cd "$1" && test -w . && "$2" --version', 'sh', directory, program]);
  return spawnSync(command, args, { cwd: '/', stdio: 'ignore', ...(uid === undefined ? {} : { uid, gid }) }).status === 0;
}

function accountNamed(name: string): Account | undefined {
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`${name}:`));
  const [, , uid, gid] = entry?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}
