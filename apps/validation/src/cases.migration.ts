import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Types of cases, what they were at each revision, and the signatures of models. */
export class Cases1700000000011 implements MigrationInterface {
  name = 'Cases1700000000011';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE validation.test_cases
        ADD COLUMN type text NOT NULL DEFAULT 'unit',
        ADD COLUMN steps jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN load jsonb,
        ALTER COLUMN input DROP NOT NULL;
      ALTER TABLE validation.test_cases ALTER COLUMN type DROP DEFAULT, ALTER COLUMN steps DROP DEFAULT;
      CREATE TABLE validation.case_revisions (
        test_case_id text NOT NULL,
        revision integer NOT NULL,
        test_case jsonb NOT NULL,
        PRIMARY KEY (test_case_id, revision)
      );
      INSERT INTO validation.case_revisions SELECT test_case_id, revision, to_jsonb(test_cases) FROM validation.test_cases;
      CREATE TABLE validation.signatures (
        model_id text PRIMARY KEY,
        metadata_url text NOT NULL,
        signature jsonb NOT NULL,
        read_at timestamptz NOT NULL
      );
      ALTER TABLE validation.runs ADD COLUMN signature_check jsonb;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE validation.runs DROP COLUMN signature_check;
      DROP TABLE validation.signatures, validation.case_revisions;
      DELETE FROM validation.test_cases WHERE input IS NULL;
      ALTER TABLE validation.test_cases DROP COLUMN type, DROP COLUMN steps, DROP COLUMN load, ALTER COLUMN input SET NOT NULL;
    `);
  }
}
