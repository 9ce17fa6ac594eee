import { MigrationConfig, readConfig } from '#runtime/config.js';
import { migrate } from '#runtime/database.module.js';
import { runService } from '#runtime/process.js';
import { RegistryConfig } from './registry.config.js';
import { registrySchema, startRegistry } from './registry.module.js';

await runService(process.argv[2], {
  start: () => startRegistry(readConfig(RegistryConfig, process.env)),
  migrate: () => migrate(registrySchema, readConfig(MigrationConfig, process.env).DATABASE_URL),
});
