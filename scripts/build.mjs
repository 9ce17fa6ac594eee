// Compiles every project that nest-cli.json lists: apps/x/src/** becomes dist/apps/x/**, libs/y/src/** becomes dist/libs/y/**.
// Types are not checked here (`npm run check` does): a start must not wait for them.
import { readFile, readdir, mkdir, writeFile, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformFile } from '@swc/core';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { projects } = JSON.parse(await readFile(join(root, 'nest-cli.json'), 'utf8'));

async function compile(project, file) {
  const source = join(root, project.sourceRoot, file);
  const target = join(root, 'dist', project.root, file.replace(/\.ts$/, '.js'));
  const { code, map } = await transformFile(source, {
    cwd: root,
    sourceFileName: relative(dirname(target), source),
  });
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, `${code}\n//# sourceMappingURL=${file.split('/').pop().replace(/\.ts$/, '.js')}.map\n`);
  await writeFile(`${target}.map`, map);
}

await rm(join(root, 'dist'), { recursive: true, force: true });
const work = [];
for (const project of Object.values(projects)) {
  for (const file of await readdir(join(root, project.sourceRoot), { recursive: true })) {
    if (file.endsWith('.ts') && !file.endsWith('.spec.ts')) work.push(compile(project, file));
  }
}
await Promise.all(work);
