import { Whole } from '#contracts/fields.js';
import { ServiceConfig } from '#runtime/config.js';

export class FlagsConfig extends ServiceConfig {
  /** How often a rollout is decided on. */
  @Whole({ min: 1, max: 300, optional: true })
  ROLLOUT_TICK_SECONDS = 10;

  /** How long rollouts that have ended are kept, with their decisions. */
  @Whole({ min: 1, max: 3_650, optional: true })
  ROLLOUT_RETENTION_DAYS = 90;

  /** How often breakers are stepped; the weights of bandits each fifth time. */
  @Whole({ min: 1, max: 60, optional: true })
  SELECTION_TICK_SECONDS = 1;

  /** How long a breaker's first opening lasts; each further one so much longer, ten times as long at the most. */
  @Whole({ min: 1, max: 3_600, optional: true })
  BREAKER_OPEN_SECONDS = 30;
}
