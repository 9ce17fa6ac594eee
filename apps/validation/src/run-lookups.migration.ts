import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** A baseline and a night's runs are found without reading every run there is. */
export class RunLookups1700000000002 implements MigrationInterface {
  name = 'RunLookups1700000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX runs_passed_of_model ON validation.runs (model_id, started_at) WHERE status = 'passed';
      CREATE INDEX runs_of_nightly ON validation.runs (nightly_id) WHERE nightly_id IS NOT NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX validation.runs_passed_of_model, validation.runs_of_nightly');
  }
}
