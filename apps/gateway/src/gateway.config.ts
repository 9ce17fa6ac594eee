import { Text, Whole } from '#contracts/fields.js';
import { ProcessConfig } from '#runtime/config.js';

export class GatewayConfig extends ProcessConfig {
  @Text({ max: 100, optional: true })
  HOST = '0.0.0.0';

  @Whole({ max: 65_535, optional: true })
  PORT = 8080;

  /** The same as the registry's. */
  @Text({ min: 32, max: 200, accepted: 'a secret of at least 32 characters, the same for registry and gateway' })
  KEY_PEPPER!: string;

  /** Evaluations over OFREP of one key at one gateway; 0: no limit. */
  @Whole({ max: 1_000_000, optional: true })
  OFREP_MAX_PER_SECOND = 0;
}
