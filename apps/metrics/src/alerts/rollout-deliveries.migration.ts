import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Deliveries of events of rollouts, beside those of alerts. */
export class RolloutDeliveries1700000000034 implements MigrationInterface {
  name = 'RolloutDeliveries1700000000034';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE metrics.deliveries
        ALTER COLUMN rule_id DROP NOT NULL,
        ADD COLUMN rollout_id text,
        ADD COLUMN event_id text,
        ADD COLUMN rollout jsonb;
      CREATE UNIQUE INDEX deliveries_of_event ON metrics.deliveries (event_id, webhook_id) WHERE event_id IS NOT NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DELETE FROM metrics.deliveries WHERE rule_id IS NULL;
      ALTER TABLE metrics.deliveries
        ALTER COLUMN rule_id SET NOT NULL,
        DROP COLUMN rollout_id,
        DROP COLUMN event_id,
        DROP COLUMN rollout;
    `);
  }
}
