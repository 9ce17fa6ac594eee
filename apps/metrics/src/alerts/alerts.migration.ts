import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class Metrics1700000000002 implements MigrationInterface {
  name = 'Metrics1700000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE metrics.model_health (
        model_id text PRIMARY KEY,
        health_status text NOT NULL,
        since timestamptz NOT NULL,
        pending_status text,
        streak integer NOT NULL,
        reasons jsonb NOT NULL,
        evaluated_at timestamptz NOT NULL
      ) WITH (fillfactor = 60);
      CREATE TABLE metrics.evaluation (
        evaluation_id integer PRIMARY KEY,
        evaluated_at timestamptz NOT NULL
      );
      INSERT INTO metrics.evaluation VALUES (1, 'epoch');

      CREATE TABLE metrics.alert_rules (
        rule_id uuid PRIMARY KEY,
        name text NOT NULL,
        applies_to jsonb NOT NULL,
        metric text NOT NULL,
        comparison jsonb NOT NULL,
        window_minutes integer NOT NULL,
        for_minutes integer NOT NULL,
        recovery_minutes integer NOT NULL,
        minimum_inferences integer NOT NULL,
        severity text NOT NULL,
        enabled boolean NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        created_by text NOT NULL,
        revision integer NOT NULL
      );
      CREATE TABLE metrics.alerts (
        alert_id uuid PRIMARY KEY,
        rule_id uuid NOT NULL,
        rule_name text NOT NULL,
        model_id text NOT NULL,
        model_name text NOT NULL,
        model_version text NOT NULL,
        metric text NOT NULL,
        severity text NOT NULL,
        state text NOT NULL,
        reason text NOT NULL,
        value double precision,
        threshold double precision,
        started_at timestamptz NOT NULL,
        fired_at timestamptz,
        recovering_since timestamptz,
        resolved_at timestamptz,
        last_value_at timestamptz NOT NULL,
        acknowledged_at timestamptz,
        acknowledged_by text,
        acknowledge_reason text,
        silenced boolean NOT NULL,
        told boolean NOT NULL
      );
      CREATE UNIQUE INDEX alerts_one_open ON metrics.alerts (rule_id, model_id) WHERE state <> 'resolved';
      CREATE INDEX alerts_of_model ON metrics.alerts (model_id);
      CREATE TABLE metrics.silences (
        silence_id uuid PRIMARY KEY,
        matchers jsonb NOT NULL,
        until timestamptz NOT NULL,
        reason text NOT NULL,
        created_at timestamptz NOT NULL,
        created_by text NOT NULL
      );
      CREATE TABLE metrics.webhooks (
        webhook_id uuid PRIMARY KEY,
        name text NOT NULL,
        url text NOT NULL,
        format text NOT NULL,
        secret text,
        severities jsonb,
        enabled boolean NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        created_by text NOT NULL,
        revision integer NOT NULL
      );
      CREATE TABLE metrics.deliveries (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        delivery_id uuid NOT NULL,
        webhook_id uuid,
        rule_id uuid NOT NULL,
        notices jsonb NOT NULL,
        state text NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        next_attempt_at timestamptz NOT NULL,
        lease_id uuid,
        lease_until timestamptz,
        delivered_at timestamptz,
        last_error text,
        created_at timestamptz NOT NULL
      );
      CREATE UNIQUE INDEX deliveries_id ON metrics.deliveries (delivery_id);
      CREATE INDEX deliveries_due ON metrics.deliveries (next_attempt_at) WHERE state = 'waiting';
      CREATE INDEX deliveries_of_webhook ON metrics.deliveries (webhook_id, position);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE metrics.model_health, metrics.evaluation, metrics.alert_rules, metrics.alerts, metrics.silences, metrics.webhooks,
        metrics.deliveries;
    `);
  }
}
