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
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE metrics.model_health, metrics.evaluation');
  }
}
