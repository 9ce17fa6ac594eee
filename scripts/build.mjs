// Compiles every project that nest-cli.json lists: apps/x/src/** becomes dist/apps/x/**, libs/y/src/** becomes dist/libs/y/**.
// Types are not checked here (`npm run check` does): a start must not wait for them. Files are replaced one by one and only where they
// differ, so that what runs from dist meanwhile, a second build too, never meets half a file.
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformFile } from '@swc/core';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

async function put(file, text) {
  if ((await readFile(file, 'utf8').catch(() => null)) === text) return;
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.new`;
  await writeFile(draft, text);
  await rename(draft, file);
}

/** Compiles the TypeScript files under `source` to `target`, specs aside, and removes what has no source any more. */
export async function compile(source, target) {
  const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));
  const made = new Set();
  await Promise.all(
    files.map(async (file) => {
      const from = join(source, file);
      const to = join(target, file.replace(/\.ts$/, '.js'));
      made.add(to).add(`${to}.map`);
      const { code, map } = await transformFile(from, { cwd: root, sourceFileName: relative(dirname(to), from) });
      await put(`${to}.map`, map);
      await put(to, `${code}\n//# sourceMappingURL=${to.split('/').pop()}.map\n`);
    }),
  );
  const present = await readdir(target, { recursive: true, withFileTypes: true }).catch(() => []);
  const stale = present
    .filter((entry) => entry.isFile() && /\.js(\.map)?$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  await Promise.all(stale.filter((file) => !made.has(file)).map((file) => rm(file, { force: true })));
}

export async function build() {
  const { projects } = JSON.parse(await readFile(join(root, 'nest-cli.json'), 'utf8'));
  await Promise.all(Object.values(projects).map((project) => compile(join(root, project.sourceRoot), join(root, 'dist', project.root))));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
