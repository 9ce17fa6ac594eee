import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { auditTable } from '#runtime/audit.entity.js';

export class Validation1700000000001 implements MigrationInterface {
  name = 'Validation1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE validation.test_cases (
        test_case_id text PRIMARY KEY,
        description text NOT NULL,
        applies_to jsonb NOT NULL,
        input jsonb NOT NULL,
        expectations jsonb NOT NULL,
        max_duration_ms double precision,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        created_by text NOT NULL,
        revision integer NOT NULL
      );
      CREATE TABLE validation.runs (
        run_id text PRIMARY KEY,
        model_id text NOT NULL,
        trigger text NOT NULL,
        nightly_id text,
        status text NOT NULL,
        started_at timestamptz NOT NULL,
        completed_at timestamptz,
        lease_until timestamptz NOT NULL,
        total_tests integer NOT NULL,
        passed_tests integer NOT NULL,
        failed_tests integer NOT NULL,
        error_tests integer NOT NULL,
        regression_detected boolean NOT NULL,
        regression_severity text NOT NULL,
        baseline_run_id text,
        regressed_test_case_ids jsonb NOT NULL,
        results jsonb NOT NULL,
        reason text NOT NULL
      );
      CREATE INDEX runs_of_model ON validation.runs (model_id, started_at);
      CREATE INDEX runs_running ON validation.runs (lease_until) WHERE status = 'running';
      CREATE TABLE validation.nightlies (
        nightly_id text PRIMARY KEY,
        unfinished boolean NOT NULL,
        started_at timestamptz NOT NULL,
        lease_until timestamptz NOT NULL,
        models_processed integer NOT NULL,
        results_summary jsonb NOT NULL
      );
      CREATE UNIQUE INDEX nightlies_one_unfinished ON validation.nightlies (unfinished) WHERE unfinished;
      ${auditTable('validation')}
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE validation.test_cases, validation.runs, validation.nightlies, validation.audit;
      DROP FUNCTION validation.refuse_audit_change();
    `);
  }
}
