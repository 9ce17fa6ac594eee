import { type FactoryProvider } from '@nestjs/common';
import { createEgress, type Egress } from '#runtime/egress.js';
import { ValidationConfig } from './validation.config.js';

const maxResponseBytes = 1_000_000;

/** The one way out of this service. */
export const EGRESS = Symbol('EGRESS');

export const egressProvider: FactoryProvider<Egress> = {
  provide: EGRESS,
  inject: [ValidationConfig],
  useFactory: (config: ValidationConfig) =>
    createEgress({ allowed_networks: config.allowedNetworks, max_response_bytes: maxResponseBytes }),
};
