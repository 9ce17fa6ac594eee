import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import SpecOrder from './scripts/spec-order.mjs';

const root = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '');

/** What no project holds: built files. */
const built = ['**/node_modules/**', 'dist/**'];

/** Of one service or library; the others are stories of the whole suite. */
const serverTests = ['{apps,libs}/**/*.service.spec.ts', 'apps/**/*.handlers.spec.ts'];

/** Unit tests use nothing; the others share one PostgreSQL and one nats-server, and stories a suite, which global set-up starts. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^#(contracts|runtime|statistics|evaluation|embedded|client|testing)\/(.*)\.js$/, replacement: `${root}/libs/$1/src/$2.ts` },
      { find: /^#(gateway|registry|metrics|validation|flags|standalone)\/(.*)\.js$/, replacement: `${root}/apps/$1/src/$2.ts` },
    ],
  },
  test: {
    globals: true,
    pool: 'forks',
    // The files of a worker share what they import: compiling all of it anew for each was half of what the tests cost.
    isolate: false,
    // More than the two cores that are reckoned with: the longest files wait most of their time.
    maxWorkers: 4,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    sequence: { sequencer: SpecOrder },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{apps,libs,bench,examples}/**/*.spec.ts'],
          exclude: [...built, ...serverTests],
        },
      },
      {
        extends: true,
        test: {
          name: 'server',
          include: ['test/**/*.spec.ts', ...serverTests],
          // What is measured by the clock says nothing beside other tests: `npm run test:load` has the machine for itself.
          exclude: [...built, ...(process.env.LOAD_SECONDS ? [] : ['test/load/{overload,soak}.spec.ts'])],
          globalSetup: 'test/setup/servers.mjs',
        },
      },
    ],
  },
});
