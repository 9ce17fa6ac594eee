import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** What is to be told of rollouts: kept until NATS and the metrics service have it. */
export class RolloutEvents1700000000034 implements MigrationInterface {
  name = 'RolloutEvents1700000000034';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE flags.rollouts
        ADD COLUMN told integer NOT NULL DEFAULT 0,
        ADD COLUMN held jsonb NOT NULL DEFAULT '[]';
      ALTER TABLE flags.rollouts ALTER COLUMN told DROP DEFAULT, ALTER COLUMN held DROP DEFAULT;
      CREATE TABLE flags.rollout_events (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event jsonb NOT NULL,
        published boolean NOT NULL DEFAULT false,
        taken boolean NOT NULL DEFAULT false
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE flags.rollout_events;
      ALTER TABLE flags.rollouts DROP COLUMN told, DROP COLUMN held;
    `);
  }
}
