import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** The policy begins as 7 days, a passed run for both steps and no high regression for the second. */
export class PromotionPolicy1700000000015 implements MigrationInterface {
  name = 'PromotionPolicy1700000000015';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE registry.promotion_policy (
        policy text PRIMARY KEY,
        max_run_age_hours integer NOT NULL,
        canary jsonb NOT NULL,
        stable jsonb NOT NULL,
        updated_at timestamptz NOT NULL,
        updated_by text NOT NULL,
        revision integer NOT NULL
      );
      INSERT INTO registry.promotion_policy
      VALUES ('promotion', 168, '["passed_run"]', '["passed_run", "no_high_regression"]', now(), 'system', 1);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE registry.promotion_policy');
  }
}
