import { type FactoryProvider } from '@nestjs/common';
import { createEgress, type Egress } from '#runtime/egress.js';
import { MetricsConfig } from '../metrics.config.js';

/** A receiver's answer is not read beyond its status. */
const maxResponseBytes = 1_000_000;

/** The one way out of this service. */
export const EGRESS = Symbol('EGRESS');

export const egressProvider: FactoryProvider<Egress> = {
  provide: EGRESS,
  inject: [MetricsConfig],
  useFactory: (config: MetricsConfig) => createEgress({ allowed_networks: config.webhookNetworks, max_response_bytes: maxResponseBytes }),
};
