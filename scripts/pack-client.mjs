// `npm run pack-client [-- <directory>]`: compiles libs/client to JavaScript with types and packs it for `npm install`, into dist/packages
// or the directory given. Prints the path of the package.
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { run } from './steps.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'libs/client');
const target = resolve(process.argv[2] ?? join(root, 'dist/packages'));
const stage = join(target, 'client');

function fail(output) {
  console.error(output);
  process.exit(1);
}

await rm(stage, { recursive: true, force: true });
await mkdir(stage, { recursive: true });
const files = (await readdir(join(source, 'src'))).filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));
const program = ts.createProgram(
  files.map((file) => join(source, 'src', file)),
  {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2024.d.ts'],
    types: ['node'],
    strict: true,
    // `npm run check` checks the types.
    noCheck: true,
    declaration: true,
    rootDir: join(source, 'src'),
    outDir: join(stage, 'dist'),
  },
);
const { diagnostics } = program.emit();
const problems = [...program.getSyntacticDiagnostics(), ...diagnostics];
if (problems.length) {
  const host = { getCanonicalFileName: (file) => file, getCurrentDirectory: () => root, getNewLine: () => '\n' };
  fail(ts.formatDiagnostics(problems, host));
}
for (const file of ['package.json', 'README.md']) await copyFile(join(source, file), join(stage, file));
await copyFile(join(root, 'LICENSE'), join(stage, 'LICENSE'));
const { code, output } = await run('npm', ['pack', stage, '--pack-destination', target, '--silent']);
if (code !== 0) fail(output);
console.log(join(target, output.trim().split('\n').pop()));
