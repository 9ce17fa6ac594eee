import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Baselines, the policy that differences are judged by, and what each run came to against them. */
export class Comparing1700000000014 implements MigrationInterface {
  name = 'Comparing1700000000014';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE validation.baselines (
        name text NOT NULL,
        test_case_id text NOT NULL,
        type text NOT NULL,
        revision integer NOT NULL,
        data_set_id text,
        run_id text NOT NULL CONSTRAINT baselines_run REFERENCES validation.runs,
        model_id text NOT NULL,
        run_started_at timestamptz NOT NULL,
        stored_at timestamptz NOT NULL,
        measured jsonb,
        pinned_at timestamptz,
        pinned_by text,
        pin_reason text,
        PRIMARY KEY (name, test_case_id)
      );
      CREATE INDEX baselines_of_run ON validation.baselines (run_id);
      CREATE INDEX baselines_of_model ON validation.baselines (model_id);
      CREATE TABLE validation.policies (
        revision integer PRIMARY KEY,
        alpha double precision NOT NULL,
        power double precision NOT NULL,
        minimum_n integer NOT NULL,
        bands jsonb NOT NULL,
        cases jsonb NOT NULL,
        changed_at timestamptz NOT NULL,
        changed_by text NOT NULL
      );
      INSERT INTO validation.policies VALUES (
        1, 0.05, 0.8, 20,
        '{
          "share": {"low": 0.01, "medium": 0.03, "high": 0.1},
          "error": {"low": 0.05, "medium": 0.1, "high": 0.25},
          "latency": {"low": 0.1, "medium": 0.25, "high": 0.5},
          "failures": {"low": 0.005, "medium": 0.02, "high": 0.05}
        }',
        '{"medium": 0.1, "high": 0.25}', now(), 'system'
      );
      ALTER TABLE validation.runs ADD COLUMN comparisons jsonb NOT NULL DEFAULT '[]', ADD COLUMN policy_revision integer;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE validation.runs DROP COLUMN policy_revision, DROP COLUMN comparisons;
      DROP TABLE validation.policies, validation.baselines;
    `);
  }
}
