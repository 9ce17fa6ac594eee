import { readConfig } from '#runtime/config.js';
import { runUntilSignal } from '#runtime/process.js';
import { ValidationConfig } from './validation.config.js';
import { startValidation } from './validation.module.js';

await runUntilSignal(() => startValidation(readConfig(ValidationConfig, process.env)));
