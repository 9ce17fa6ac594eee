// Whether node_modules is what package-lock.json says: `npm install`, other than `npm ci`, mends a lockfile silently (ADR 9). Built-in modules only.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages;

/** One sentence for each package that differs. Binaries for a platform that the lockfile does not have are no difference. */
export function differences(locked, installed) {
  return Object.entries(installed).flatMap(([path, { version, integrity, optional }]) => {
    const wanted = locked[path];
    if (!wanted) return optional ? [] : [`${path} ${version} is installed, and not in package-lock.json`];
    if (wanted.version !== version) return [`${path} is ${version}, and ${wanted.version} in package-lock.json`];
    return wanted.integrity === integrity ? [] : [`${path} ${version} is not the one whose hash is in package-lock.json`];
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = differences(read('package-lock.json'), read('node_modules/.package-lock.json'));
  for (const sentence of found) console.error(sentence);
  if (found.length > 0) {
    console.error('Commit package.json and package-lock.json together, then install again.');
    process.exit(1);
  }
}
