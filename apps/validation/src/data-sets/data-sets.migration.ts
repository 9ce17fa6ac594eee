import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Data sets, the cases that use them, and what each of their rows came to in a run. */
export class DataSets1700000000012 implements MigrationInterface {
  name = 'DataSets1700000000012';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE validation.data_sets (
        data_set_id text PRIMARY KEY,
        upload_id uuid NOT NULL,
        name text NOT NULL,
        format text NOT NULL,
        rows integer NOT NULL,
        bytes bigint NOT NULL,
        columns jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        created_by text NOT NULL
      );
      CREATE TABLE validation.uploads (
        upload_id uuid PRIMARY KEY,
        name text NOT NULL,
        format text NOT NULL,
        position integer NOT NULL,
        rows integer NOT NULL,
        bytes bigint NOT NULL,
        unfinished bytea NOT NULL,
        columns jsonb,
        touched_at timestamptz NOT NULL
      );
      CREATE TABLE validation.data_set_pieces (
        upload_id uuid NOT NULL,
        position integer NOT NULL,
        rows_before integer NOT NULL,
        rows integer NOT NULL,
        content bytea NOT NULL,
        PRIMARY KEY (upload_id, position)
      );
      ALTER TABLE validation.test_cases ADD COLUMN data jsonb;
      CREATE TABLE validation.row_outcomes (
        run_id text NOT NULL CONSTRAINT row_outcomes_run REFERENCES validation.runs ON DELETE CASCADE,
        test_case_id text NOT NULL,
        data_set_id text NOT NULL,
        outcomes bytea NOT NULL,
        PRIMARY KEY (run_id, test_case_id)
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE validation.row_outcomes, validation.data_set_pieces, validation.uploads, validation.data_sets;
      DELETE FROM validation.test_cases WHERE type = 'regression';
      ALTER TABLE validation.test_cases DROP COLUMN data;
    `);
  }
}
