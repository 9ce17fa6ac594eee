import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ServerError } from './server-error.js';

const services = ['gateway', 'registry', 'metrics', 'validation', 'flags'] as const;
const others = ['publisher', 'subscriber', 'model_server', 'operator'] as const;

/** Who a client is to NATS: `deploy/nats/users.conf` says what each may do. */
export type NatsUser = (typeof services | typeof others)[number];
export const natsUsers: readonly NatsUser[] = [...services, ...others];

/** The same path from the sources and from dist. */
export const usersFile = fileURLToPath(new URL('../../../deploy/nats/users.conf', import.meta.url));

export type NatsPasswords = Record<NatsUser, string>;

/** The users' passwords of the server on this directory, made at its first start and readable by its owner alone. */
export function passwordsOf(directory: string): NatsPasswords {
  const file = join(directory, 'passwords.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as NatsPasswords;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new ServerError(`The passwords in ${file} cannot be read: ${(error as Error).message}; mend the file or remove it`);
  }
  // A letter first: nats-server would read a number.
  const passwords = Object.fromEntries(natsUsers.map((user) => [user, `p${randomBytes(24).toString('hex')}`])) as NatsPasswords;
  // Renamed into place: a start that is killed here must not leave half a file.
  writeFileSync(`${file}.new`, JSON.stringify(passwords, null, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return passwords;
}

/** As users.conf asks for them. */
export const passwordVariables = (passwords: NatsPasswords): Record<string, string> =>
  Object.fromEntries(Object.entries(passwords).map(([user, password]) => [`NATS_PASSWORD_${user.toUpperCase()}`, password]));
