import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class Selection1700000000025 implements MigrationInterface {
  name = 'Selection1700000000025';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE flags.selection_tick (
        tick_id integer PRIMARY KEY,
        tick integer NOT NULL,
        ticked_at timestamptz NOT NULL
      );
      INSERT INTO flags.selection_tick VALUES (1, 0, 'epoch');
      CREATE TABLE flags.model_states (
        model_id text PRIMARY KEY,
        counters jsonb,
        breaker jsonb NOT NULL,
        evidence jsonb NOT NULL,
        forced text,
        forced_by text,
        forced_reason text,
        expected_success double precision NOT NULL,
        revision integer NOT NULL
      );
      CREATE TABLE flags.bandit_pools (
        pool_id text PRIMARY KEY,
        name text,
        sport text,
        model_type text,
        arms jsonb NOT NULL,
        settled_at timestamptz NOT NULL,
        used_at timestamptz NOT NULL,
        revision integer NOT NULL
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE flags.selection_tick, flags.model_states, flags.bandit_pools');
  }
}
