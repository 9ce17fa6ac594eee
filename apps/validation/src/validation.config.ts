import { CronTime } from 'cron';
import { Text, Whole } from '#contracts/fields.js';
import { isNetworkList, entriesOf, networksAccepted } from '#runtime/address.js';
import { natsSubject, natsSubjectAccepted } from '#contracts/serving.js';
import { ServiceConfig } from '#runtime/config.js';

/** Whether a cron expression is due at some time: there is no 31st of February. */
function isSchedule(cron: string): boolean {
  try {
    return new CronTime(cron, 'UTC').sendAt().isValid;
  } catch {
    return false;
  }
}

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
  @Text({ max: 100, optional: true, rule: isSchedule, accepted: 'a cron expression such as 0 2 * * *' })
  NIGHTLY_CRON = '0 2 * * *';

  /** How far back a night that was missed is still made up for, late. 0: never. */
  @Whole({ max: 168, optional: true })
  NIGHTLY_CATCH_UP_HOURS = 24;

  /** Validation runs at once, in all replicas together … */
  @Whole({ min: 1, max: 1000, optional: true })
  VALIDATION_MAX_RUNNING = 8;

  /** … and in each. */
  @Whole({ min: 1, max: 100, optional: true })
  VALIDATION_MAX_RUNNING_PER_REPLICA = 4;

  /** How long a run may go without a sign of the replica that runs it until another one takes it over. */
  @Whole({ min: 2, max: 300, optional: true })
  VALIDATION_LEASE_SECONDS = 15;

  /** How long a replica that stops lets its runs come to their end before it gives them back to the others; the whole process has 25 s. */
  @Whole({ max: 20, optional: true })
  VALIDATION_FINISH_SECONDS = 18;

  /** How long runs are kept; the latest passed one of each model longer. */
  @Whole({ min: 1, max: 36_500, optional: true })
  VALIDATION_RUN_RETENTION_DAYS = 400;

  get leaseMs(): number {
    return this.VALIDATION_LEASE_SECONDS * 1000;
  }

  /** How often a lease is renewed, and lost or waiting runs are looked for. */
  get beatMs(): number {
    return Math.min(1_000, this.leaseMs / 3);
  }

  get allowedNetworks(): string[] {
    return entriesOf(this.VALIDATION_ALLOWED_NETWORKS);
  }
}
