const swc = ['@swc/jest', { swcrc: true }];

const base = {
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': swc },
  moduleNameMapper: {
    '^#(contracts|runtime|statistics|evaluation|embedded|client|testing)/(.*)\\.js$': '<rootDir>/libs/$1/src/$2.ts',
    '^#(gateway|registry|metrics|validation|flags|standalone)/(.*)\\.js$': '<rootDir>/apps/$1/src/$2.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.data/'],
  testEnvironment: 'node',
};

/** Unit tests use nothing; service and story tests share one PostgreSQL and one nats-server that global set-up starts. */
export default {
  // More than the two cores that are reckoned with: the longest files wait most of their time.
  maxWorkers: 4,
  testSequencer: '<rootDir>/scripts/slowest-first.mjs',
  testTimeout: 30_000,
  projects: [
    {
      ...base,
      displayName: 'unit',
      testMatch: ['<rootDir>/{apps,libs,bench,examples}/**/*.spec.ts'],
      testPathIgnorePatterns: ['\\.handlers\\.spec\\.ts$', '\\.service\\.spec\\.ts$', '/dist/'],
    },
    {
      ...base,
      displayName: 'service',
      testMatch: ['<rootDir>/apps/**/*.handlers.spec.ts', '<rootDir>/{apps,libs}/**/*.service.spec.ts'],
      globalSetup: '<rootDir>/test/setup/servers.mjs',
      globalTeardown: '<rootDir>/test/setup/stop.mjs',
    },
    {
      ...base,
      displayName: 'story',
      testMatch: ['<rootDir>/test/**/*.spec.ts'],
      // What is measured by the clock says nothing beside other tests: `npm run test:load` has the machine for itself.
      testPathIgnorePatterns: ['/node_modules/', ...(process.env.LOAD_SECONDS ? [] : ['/test/load/(overload|soak)\\.spec\\.ts$'])],
      globalSetup: '<rootDir>/test/setup/stories.mjs',
      globalTeardown: '<rootDir>/test/setup/stop.mjs',
    },
  ],
};
