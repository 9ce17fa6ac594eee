// Lays out what runs in production, and nothing else, in a folder: the content of the image (ADR 26). After a build: node scripts/layout.mjs <folder>
import { chmod, cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { services } from './build.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Of the packages that stay outside the bundles, the files that are read. */
const outside = {
  'reflect-metadata': ['package.json', 'LICENSE', 'Reflect.js'],
  'swagger-ui-dist': ['package.json', 'LICENSE', 'NOTICE', 'swagger-ui.css', 'swagger-ui-bundle.js', 'swagger-ui-bundle.js.LICENSE.txt'],
};

/** The licences of all packages that may be in the bundles, each under the package's name. */
async function licences() {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
  const texts = [];
  for (const [path, { version, license, dev, devOptional }] of Object.entries(packages)) {
    if (path === '' || dev || devOptional) continue;
    const files = await readdir(join(root, path)).catch(() => []);
    const file = files.find((name) => /^(licen[cs]e|copying)/i.test(name));
    const text = file ? await readFile(join(root, path, file), 'utf8') : `${license}\n`;
    texts.push(`${path.split('node_modules/').pop()} ${version}\n\n${text}`);
  }
  return texts.join(`\n${'-'.repeat(80)}\n`);
}

/** Readable by everybody and writable by nobody. */
async function seal(folder) {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await seal(path);
    else await chmod(path, 0o444);
  }
  await chmod(folder, 0o555);
}

/** `target` is made; what is in it already is written over. */
export async function layOut(target) {
  const copy = (path) => cp(join(root, path), join(target, path), { recursive: true });
  for (const app of services) for (const file of ['main.js', 'main.js.map']) await copy(join('dist', 'apps', app, file));
  await copy(join('dist', 'apps', 'parts'));
  for (const [name, files] of Object.entries(outside)) for (const file of files) await copy(join('node_modules', name, file));
  const { name, version, license, type } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  await writeFile(join(target, 'package.json'), `${JSON.stringify({ name, version, license, type, private: true }, null, 2)}\n`);
  await copy('LICENSE');
  await writeFile(join(target, 'THIRD-PARTY-LICENSES'), await licences());
  await seal(target);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const target = process.argv[2];
  if (!target) {
    console.error('Which folder? node scripts/layout.mjs <folder>');
    process.exit(1);
  }
  await mkdir(target, { recursive: true });
  await layOut(target);
}
