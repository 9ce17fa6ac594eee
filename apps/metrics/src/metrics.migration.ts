import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { auditTable } from '#runtime/audit.entity.js';

export class Metrics1700000000001 implements MigrationInterface {
  name = 'Metrics1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    // Room on every page lets the ever-changing rows be updated in place. The index by age holds every row; its condition keeps it to statements
    // that name the period: one that looks up rows by keys it is given would read all models' rows of a window, where the planner knows no better.
    await runner.query(`
      CREATE TABLE metrics.model_window (
        model_id text NOT NULL,
        flag_key text NOT NULL DEFAULT '',
        variant text NOT NULL DEFAULT '',
        period text NOT NULL,
        window_start timestamptz NOT NULL,
        total bigint NOT NULL DEFAULT 0,
        successful bigint NOT NULL DEFAULT 0,
        sum_ms double precision NOT NULL DEFAULT 0,
        min_ms double precision,
        max_ms double precision,
        sketch bytea,
        error_types jsonb NOT NULL DEFAULT '{}',
        last_occurred_at timestamptz,
        folded boolean NOT NULL DEFAULT false,
        PRIMARY KEY (model_id, flag_key, variant, period, window_start)
      ) WITH (fillfactor = 60);
      CREATE INDEX model_window_age ON metrics.model_window (period, window_start)
        WHERE period IN ('lifetime', 'minute', 'hour', 'day');
      CREATE INDEX model_window_unfolded ON metrics.model_window (model_id, flag_key, variant, window_start) WHERE NOT folded;
      CREATE INDEX model_window_arms ON metrics.model_window (flag_key) WHERE flag_key <> '' AND NOT folded;
      CREATE TABLE metrics.ingest_ledger (
        source text PRIMARY KEY,
        applied int8multirange NOT NULL DEFAULT '{}',
        seen_at timestamptz NOT NULL DEFAULT now(),
        place bigint,
        stored_at timestamptz
      ) WITH (fillfactor = 60);
      CREATE TABLE metrics.counted_event (
        model_id text NOT NULL,
        event_id text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (model_id, event_id)
      );
      CREATE INDEX counted_event_at ON metrics.counted_event (at);
      CREATE TABLE metrics.dead_letter (
        letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        source text NOT NULL,
        sequence bigint NOT NULL,
        event integer NOT NULL,
        model_id text,
        reason text NOT NULL,
        body bytea NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT dead_letter_once UNIQUE (source, sequence, event)
      );
      ${auditTable('metrics')}
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE metrics.model_window, metrics.ingest_ledger, metrics.counted_event, metrics.dead_letter, metrics.audit;
      DROP FUNCTION metrics.refuse_audit_change();
    `);
  }
}
