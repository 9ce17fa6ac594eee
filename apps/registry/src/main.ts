import { readConfig } from '#runtime/config.js';
import { runUntilSignal } from '#runtime/process.js';
import { RegistryConfig } from './registry.config.js';
import { startRegistry } from './registry.module.js';

await runUntilSignal(() => startRegistry(readConfig(RegistryConfig, process.env)));
