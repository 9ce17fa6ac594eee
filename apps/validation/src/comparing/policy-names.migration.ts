import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** When and by whom something was changed has one name everywhere. */
export class PolicyNames1700000000022 implements MigrationInterface {
  name = 'PolicyNames1700000000022';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE validation.policies RENAME COLUMN changed_at TO updated_at;
      ALTER TABLE validation.policies RENAME COLUMN changed_by TO updated_by;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE validation.policies RENAME COLUMN updated_at TO changed_at;
      ALTER TABLE validation.policies RENAME COLUMN updated_by TO changed_by;
    `);
  }
}
