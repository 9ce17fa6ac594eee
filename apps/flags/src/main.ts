import { readConfig } from '#runtime/config.js';
import { runUntilSignal } from '#runtime/process.js';
import { FlagsConfig } from './flags.config.js';
import { startFlags } from './flags.module.js';

await runUntilSignal(() => startFlags(readConfig(FlagsConfig, process.env)));
