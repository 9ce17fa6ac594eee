const services = '(gateway|registry|metrics|validation|flags)';
const io = '^(node:)?(fs|net|http|https|tls|dgram|child_process)(/|$)|node_modules/(pg|typeorm|@nats-io|@nestjs|undici|fastify)/';
// No second suffix before .ts: a rule, which knows nothing of the outside.
const domain = { path: `^apps/${services}/src/`, pathNot: '/main\\.ts$|\\.[a-z]+\\.ts$' };

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'pure-libraries-stand-alone',
      severity: 'error',
      from: { path: '^libs/(contracts|statistics|evaluation)/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(apps|libs/(?!contracts/|statistics/|evaluation/))' },
    },
    {
      name: 'pure-libraries-do-no-io',
      severity: 'error',
      from: { path: '^libs/(contracts|statistics|evaluation)/src/', pathNot: '\\.spec\\.ts$' },
      to: { path: io },
    },
    { name: 'runtime-knows-no-app', severity: 'error', from: { path: '^libs/runtime/' }, to: { path: '^(apps|libs/(embedded|testing))/' } },
    {
      name: 'embedded-knows-nothing',
      severity: 'error',
      from: { path: '^libs/embedded/', pathNot: '\\.(spec|harness)\\.ts$' },
      to: { path: '^(apps|libs/(?!embedded/))' },
    },
    {
      // Installed by others without the rest. Its specs hold it against the contracts.
      name: 'client-stands-alone',
      severity: 'error',
      from: { path: '^libs/client/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(apps|libs/(?!client/))' },
    },
    {
      name: 'client-is-for-apps',
      severity: 'error',
      from: { path: '^libs/(?!client/|testing/)' },
      to: { path: '^libs/client/' },
    },
    {
      name: 'apps-meet-on-nats-only',
      severity: 'error',
      from: { path: `^apps/${services}/` },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'embedded-is-for-laptops-and-tests',
      severity: 'error',
      from: { path: `^(apps/${services}|libs/(contracts|runtime|statistics|evaluation))/` },
      to: { path: '^libs/embedded/' },
    },
    {
      name: 'testing-is-for-specs',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '\\.spec\\.ts$|^libs/(testing/|embedded/src/embedded\\.harness)' },
      to: { path: '^libs/testing/' },
    },
    { name: 'domain-is-pure', severity: 'error', from: domain, to: { path: 'node_modules/(@nestjs|typeorm|@nats-io|rxjs)/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.mts', '.js', '.mjs'], conditionNames: ['import', 'node', 'default'] },
  },
};
