import { Whole } from '#contracts/fields.js';
import { ServiceConfig } from '#runtime/config.js';

export class FlagsConfig extends ServiceConfig {
  /** How often breakers are stepped; the weights of bandits each fifth time. */
  @Whole({ min: 1, max: 60, optional: true })
  SELECTION_TICK_SECONDS = 1;

  /** How long a breaker's first opening lasts; each further one so much longer, ten times as long at the most. */
  @Whole({ min: 1, max: 3_600, optional: true })
  BREAKER_OPEN_SECONDS = 30;
}
