import { readConfig, ServiceConfig } from '#runtime/config.js';
import { runUntilSignal } from '#runtime/process.js';
import { startMetrics } from './metrics.module.js';

await runUntilSignal(() => startMetrics(readConfig(ServiceConfig, process.env)));
