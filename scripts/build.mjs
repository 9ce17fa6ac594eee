// Compiles every project that nest-cli.json lists: apps/x/src/** becomes dist/apps/x/**, libs/y/src/** becomes dist/libs/y/**.
// Types are not checked here (`npm run check` does): a start must not wait for them. Files are replaced one by one and only where they
// differ, so that what runs from dist meanwhile, a second build too, never meets half a file.
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformFile } from '@swc/core';
import esbuild from 'esbuild';

export const services = ['gateway', 'registry', 'metrics', 'validation', 'flags'];
/** Their entries are bundled instead: see `bundle`. */
const entries = new Set(services.map((app) => `apps/${app}/src/main.ts`));

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
      if (entries.has(relative(root, from))) return;
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

/** What a service may do without and never has, and what is found by its own files. */
const external = [
  '@nestjs/platform-express',
  '@nestjs/websockets',
  '@nestjs/websockets/*',
  '@nestjs/microservices/microservices-module',
  '@fastify/multipart',
  '@fastify/static',
  '@fastify/view',
  '@grpc/*',
  'amqp-connection-manager',
  'amqplib',
  'ioredis',
  'kafkajs',
  'mqtt',
  'pg-native',
  // Decorators need it when their classes are defined: what is outside is loaded before all that is inside.
  'reflect-metadata',
  'swagger-ui-dist',
];

/** The entries, as source: esbuild alone would not compile the decorators' types. */
const compiledEntries = {
  name: 'compiled-entries',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^entry:/ }, ({ path }) => ({ path: path.slice('entry:'.length), namespace: 'entry' }));
    onLoad({ filter: /./, namespace: 'entry' }, async ({ path: app }) => {
      const { code } = await transformFile(join(root, 'apps', app, 'src', 'main.ts'), { cwd: root, sourceMaps: false });
      return { contents: `import 'reflect-metadata';\n${code}`, resolveDir: join(root, 'dist', 'apps', app) };
    });
  },
};

/**
 * Makes the services' entries few files with everything that they load, in parts that they share: most of what a start costs is the reading of
 * two thousand files (ADR 11). The compiled modules stay beside them for `npm start`, which runs all services in one process.
 */
async function bundle() {
  const outdir = join(root, 'dist', 'apps');
  const { outputFiles } = await esbuild.build({
    entryPoints: Object.fromEntries(services.map((app) => [`${app}/main`, `entry:${app}`])),
    plugins: [compiledEntries],
    outdir,
    chunkNames: 'parts/[name]-[hash]',
    splitting: true,
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external,
    // Its paths lead to the sources, of which esbuild would not compile the decorators' types.
    tsconfigRaw: {},
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'error',
    // Packages in the older format call it, and a module has none of its own.
    banner: { js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" },
  });
  for (const { path, text } of outputFiles) await put(path, text);
  const made = new Set(outputFiles.map(({ path }) => path));
  const parts = join(outdir, 'parts');
  const stale = (await readdir(parts)).map((file) => join(parts, file)).filter((file) => !made.has(file));
  await Promise.all(stale.map((file) => rm(file, { force: true })));
}

export async function build() {
  const { projects } = JSON.parse(await readFile(join(root, 'nest-cli.json'), 'utf8'));
  await Promise.all(Object.values(projects).map((project) => compile(join(root, project.sourceRoot), join(root, 'dist', project.root))));
  await bundle();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
