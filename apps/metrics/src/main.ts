import { readConfig } from '#runtime/config.js';
import { runUntilSignal } from '#runtime/process.js';
import { MetricsConfig } from './metrics.config.js';
import { startMetrics } from './metrics.module.js';

await runUntilSignal(() => startMetrics(readConfig(MetricsConfig, process.env)));
