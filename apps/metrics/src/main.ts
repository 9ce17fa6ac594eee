import { MigrationConfig, readConfig } from '#runtime/config.js';
import { migrate } from '#runtime/database.module.js';
import { runService } from '#runtime/process.js';
import { MetricsConfig } from './metrics.config.js';
import { metricsSchema, startMetrics } from './metrics.module.js';

await runService(process.argv[2], {
  start: () => startMetrics(readConfig(MetricsConfig, process.env)),
  migrate: () => migrate(metricsSchema, readConfig(MigrationConfig, process.env).DATABASE_URL),
});
