import { randomBytes } from 'node:crypto';
import { type RunningSuite, startSuite, type SuiteOptions } from '#standalone/suite.process.js';
import { createDatabase, servicesTemplate } from '#testing/database.js';
import { ownNats, type OwnNats } from '#testing/nats.js';
import { ReachableSuite } from './api.harness.js';

/** Below what may be configured: health, alerts, rollouts and breakers are judged often, so that tests wait less. */
export const tickSeconds = 0.25;
/** The same for validation runs whose replica died. */
const leaseSeconds = 1.5;

/** A suite that runs in the spec file's own process, where a test may reach into it. */
export class TestSuite extends ReachableSuite {
  private constructor(
    readonly suite: RunningSuite,
    readonly nats: OwnNats,
    private readonly dropDatabase: () => Promise<void>,
    admin_key: string,
    database_url: string,
    /** For another gateway beside the suite's. */
    readonly key_pepper: string,
  ) {
    super(`http://127.0.0.1:${suite.gateway.port}`, admin_key, database_url, nats.urls);
  }

  /** With a database and a nats-server of its own, on ports that nobody else has. */
  static async start(options: Partial<SuiteOptions> = {}): Promise<TestSuite> {
    const [database, nats] = await Promise.all([createDatabase(servicesTemplate), ownNats()]);
    const admin_key = `emr_test_${randomBytes(24).toString('hex')}`;
    const key_pepper = randomBytes(32).toString('hex');
    const suite = await startSuite({
      host: '127.0.0.1',
      port: 0,
      database_urls: database.urls,
      nats_urls: nats.urls,
      key_pepper,
      bootstrap_admin_key: admin_key,
      log_level: 'silent',
      allowed_networks: '127.0.0.0/8',
      cors_origins: '',
      secrets_dir: '',
      health_tick_seconds: tickSeconds,
      validation_lease_seconds: leaseSeconds,
      rollout_tick_seconds: tickSeconds,
      selection_tick_seconds: tickSeconds,
      breaker_open_seconds: 1,
      ...options,
    });
    return new TestSuite(suite, nats, database.drop, admin_key, database.url, key_pepper);
  }

  async close(): Promise<void> {
    await this.suite.close();
    await this.nats.stop();
    await this.dropDatabase();
  }
}
