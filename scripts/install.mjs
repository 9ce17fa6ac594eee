// Installs the dependencies that package-lock.json names where they are missing or others. Built-in modules only: nothing is there yet.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(root, 'node_modules', '.installed-lockfile');
const needed = [20, 19];

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > needed[0] || (major === needed[0] && minor >= needed[1])) return;
  console.error(`Node ${needed.join('.')} or newer is needed; this is ${process.versions.node}. Install a newer Node and try again.`);
  process.exit(1);
}

export function install() {
  const lockfile = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (read(stamp) === lockfile) return;
  console.log('Installing dependencies…');
  // npm says where it is to the scripts that it runs; without it, it is looked for on the PATH.
  const npm = process.env.npm_execpath;
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  // Not `npm ci`: it refuses a lockfile made where the registry had no binaries for other platforms. The lockfile still decides, unchanged.
  const { status, stdout, stderr, error } = spawnSync(
    command,
    [...first, 'install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  if (status !== 0) {
    console.error(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
    console.error('The dependencies could not be installed (see above). Check the network, then type: npm install --no-save');
    process.exit(1);
  }
  writeFileSync(stamp, lockfile);
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
