import { Whole } from '#contracts/fields.js';
import { ServiceConfig } from '#runtime/config.js';

export class FlagsConfig extends ServiceConfig {
  /** How often a rollout is decided on. */
  @Whole({ min: 1, max: 300, optional: true })
  ROLLOUT_TICK_SECONDS = 10;

  /** How long rollouts that have ended are kept, with their decisions. */
  @Whole({ min: 1, max: 3_650, optional: true })
  ROLLOUT_RETENTION_DAYS = 90;
}
