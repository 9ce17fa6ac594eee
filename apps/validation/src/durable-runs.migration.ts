import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Runs that any replica can take up, what is told of them, and which nights have been looked after. A run that was running under the former
 * version has no `work`: it is given up with its lease.
 */
export class DurableRuns1700000000021 implements MigrationInterface {
  name = 'DurableRuns1700000000021';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE validation.runs
        ALTER COLUMN lease_until DROP NOT NULL,
        ADD COLUMN attempt integer NOT NULL DEFAULT 1,
        ADD COLUMN lost integer NOT NULL DEFAULT 0,
        ADD COLUMN done_tests integer NOT NULL DEFAULT 0,
        ADD COLUMN work jsonb,
        ADD COLUMN cancelled_by text,
        ADD COLUMN request_name text,
        ADD COLUMN request_sha256 text;
      UPDATE validation.runs SET done_tests = total_tests WHERE status <> 'running';
      ALTER TABLE validation.runs ALTER COLUMN attempt DROP DEFAULT, ALTER COLUMN lost DROP DEFAULT, ALTER COLUMN done_tests DROP DEFAULT;
      DROP INDEX validation.runs_of_nightly;
      CREATE UNIQUE INDEX runs_of_nightly ON validation.runs (nightly_id, model_id) WHERE nightly_id IS NOT NULL;
      CREATE UNIQUE INDEX runs_of_request ON validation.runs (request_name) WHERE request_name IS NOT NULL;
      CREATE INDEX runs_over ON validation.runs (started_at) WHERE status <> 'running';
      CREATE TABLE validation.facts (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        subject text NOT NULL,
        event jsonb NOT NULL
      );
      ALTER TABLE validation.nightlies
        ADD COLUMN planned_at timestamptz,
        ADD COLUMN late boolean NOT NULL DEFAULT false,
        ADD COLUMN enqueued boolean NOT NULL DEFAULT true;
      ALTER TABLE validation.nightlies ALTER COLUMN late DROP DEFAULT, ALTER COLUMN enqueued DROP DEFAULT;
      CREATE TABLE validation.night_watch (
        watch boolean PRIMARY KEY,
        handled_until timestamptz NOT NULL
      );
      INSERT INTO validation.night_watch VALUES (true, now());
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE validation.night_watch, validation.facts;
      ALTER TABLE validation.nightlies DROP COLUMN planned_at, DROP COLUMN late, DROP COLUMN enqueued;
      DROP INDEX validation.runs_over, validation.runs_of_request, validation.runs_of_nightly;
      CREATE INDEX runs_of_nightly ON validation.runs (nightly_id) WHERE nightly_id IS NOT NULL;
      UPDATE validation.runs SET lease_until = now() WHERE lease_until IS NULL;
      ALTER TABLE validation.runs
        ALTER COLUMN lease_until SET NOT NULL,
        DROP COLUMN attempt, DROP COLUMN lost, DROP COLUMN done_tests, DROP COLUMN work, DROP COLUMN cancelled_by,
        DROP COLUMN request_name, DROP COLUMN request_sha256;
    `);
  }
}
