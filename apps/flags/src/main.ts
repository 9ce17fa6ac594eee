import { readConfig, ServiceConfig } from '#runtime/config.js';
import { runUntilSignal } from '#runtime/process.js';
import { startFlags } from './flags.module.js';

await runUntilSignal(() => startFlags(readConfig(ServiceConfig, process.env)));
