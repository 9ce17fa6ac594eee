import { MigrationConfig, readConfig } from '#runtime/config.js';
import { migrate } from '#runtime/database.module.js';
import { runService } from '#runtime/process.js';
import { FlagsConfig } from './flags.config.js';
import { flagsSchema, startFlags } from './flags.module.js';

await runService(process.argv[2], {
  start: () => startFlags(readConfig(FlagsConfig, process.env)),
  migrate: () => migrate(flagsSchema, readConfig(MigrationConfig, process.env).DATABASE_URL),
});
