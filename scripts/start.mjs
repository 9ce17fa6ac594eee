// `npm start`: installs what is missing, builds, and runs the suite in this very process, so that signals reach it.
import { checkNode, install } from './install.mjs';

checkNode();
install();
process.setSourceMapsEnabled(true);
const { build } = await import('./build.mjs');
await build();
await import('../dist/apps/standalone/main.js');
