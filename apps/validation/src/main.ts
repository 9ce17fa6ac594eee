import { MigrationConfig, readConfig } from '#runtime/config.js';
import { migrate } from '#runtime/database.module.js';
import { runService } from '#runtime/process.js';
import { ValidationConfig } from './validation.config.js';
import { validationSchema, startValidation } from './validation.module.js';

await runService(process.argv[2], {
  start: () => startValidation(readConfig(ValidationConfig, process.env)),
  migrate: () => migrate(validationSchema, readConfig(MigrationConfig, process.env).DATABASE_URL),
});
