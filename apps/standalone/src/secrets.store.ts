import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Secrets {
  key_pepper: string;
  bootstrap_admin_key: string;
}

/** The installation's own secrets, made at its first start and readable by its owner alone. */
export async function loadSecrets(dataDir: string): Promise<Secrets> {
  const file = join(dataDir, 'secrets.json');
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Secrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new Error(`${file} cannot be read: ${String(error)}; mend it or remove it`);
  }
  const secrets = { key_pepper: randomBytes(32).toString('hex'), bootstrap_admin_key: `emr_${randomBytes(24).toString('hex')}` };
  await mkdir(dataDir, { recursive: true });
  // Renamed into place: a start that is killed here must not leave half a file.
  await writeFile(`${file}.new`, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return secrets;
}
