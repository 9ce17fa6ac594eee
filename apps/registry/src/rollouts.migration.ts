import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class RegistryRollouts1700000000022 implements MigrationInterface {
  name = 'RegistryRollouts1700000000022';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE registry.models ADD COLUMN rollout_id text;
      CREATE TABLE registry.applied_rollouts (
        rollout_id text PRIMARY KEY,
        sequence integer NOT NULL
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE registry.applied_rollouts;
      ALTER TABLE registry.models DROP COLUMN rollout_id;
    `);
  }
}
