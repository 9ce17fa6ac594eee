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

  /**
   * Requests are refused (503) while, for half a second and more, reading what has come has taken longer than this; 0: never. See
   * docs/adr/0033-overload-and-drain.md.
   */
  @Whole({ max: 10_000, optional: true })
  OVERLOAD_AFTER_MS = 50;

  /** Requests under way at a time, but for those that are meant to wait; further ones are refused (503). 0: no limit. */
  @Whole({ max: 100_000, optional: true })
  MAX_UNDER_WAY = 512;

  /** Open connections, streams of OFREP among them; further ones are closed at once. */
  @Whole({ min: 10, max: 100_000, optional: true })
  MAX_CONNECTIONS = 10_000;

  /** For how long after SIGTERM requests are still served while /readyz says 503, so that whoever balances the load hears of it. */
  @Whole({ max: 20, optional: true })
  DRAIN_SECONDS = 5;
}
