import { validateCronExpression } from 'cron';
import { Text } from '#contracts/fields.js';
import { isNetworkList, networkList, networksAccepted } from '#runtime/address.js';
import { natsSubject, natsSubjectAccepted } from '#contracts/serving.js';
import { ServiceConfig } from '#runtime/config.js';

export class ValidationConfig extends ServiceConfig {
  /** Networks and hosts that model servers may be in although they are private: CIDRs or exact host names, separated by commas. */
  @Text({ min: 0, max: 2000, optional: true, rule: isNetworkList, accepted: networksAccepted })
  VALIDATION_ALLOWED_NETWORKS = '';

  /** Subjects that models served over NATS may be asked on: those below this one. */
  @Text({ max: 100, optional: true, pattern: natsSubject, accepted: natsSubjectAccepted })
  VALIDATION_NATS_PREFIX = 'models';

  /** The folder with the secrets of `serving.headers`: `<host>/<name>`. Without one no secret is known. */
  @Text({ min: 0, max: 1000, optional: true })
  VALIDATION_SECRETS_DIR = '';

  /** When the nightly validation starts, UTC. */
  @Text({ max: 100, optional: true, rule: (text) => validateCronExpression(text).valid, accepted: 'a cron expression such as 0 2 * * *' })
  NIGHTLY_CRON = '0 2 * * *';

  get allowedNetworks(): string[] {
    return networkList(this.VALIDATION_ALLOWED_NETWORKS);
  }
}
