import { readConfig } from '#runtime/config.js';
import { runUntilSignal } from '#runtime/process.js';
import { GatewayConfig } from './gateway.config.js';
import { startGateway } from './gateway.server.js';

await runUntilSignal(() => startGateway(readConfig(GatewayConfig, process.env)));
