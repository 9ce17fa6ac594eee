// `npm run bench -- <name> [--rounds N] [--seconds N] [--write]`: compiles and runs one of bench/*.bench.ts. Of `ingest` also
// [--only name,name], and the long run --only growth [--events N]; of `validation` [--most N], the largest size that is measured; of `rollouts` [--seed N], another series of runs.
import { readdirSync } from 'node:fs';
import { checkNode, install } from './install.mjs';

checkNode();
install();
const { build, compile } = await import('./build.mjs');
const names = readdirSync('bench')
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace('.bench.ts', ''));
const name = process.argv[2];
if (!names.includes(name)) {
  console.error(`Usage: npm run bench -- <${names.join('|')}> [--rounds N] [--seconds N] [--write]`);
  process.exit(1);
}
await build();
await compile('bench', 'dist/bench');
await import(`../dist/bench/${name}.bench.js`);
