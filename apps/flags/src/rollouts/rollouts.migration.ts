import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class Rollouts1700000000022 implements MigrationInterface {
  name = 'Rollouts1700000000022';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE flags.rollouts (
        rollout_id text PRIMARY KEY,
        flag_key text NOT NULL,
        candidate_model_id text NOT NULL,
        candidate_variant text NOT NULL,
        control_model_id text NOT NULL,
        control_variant text NOT NULL,
        control_status text NOT NULL,
        models jsonb NOT NULL,
        status text NOT NULL,
        step integer NOT NULL,
        percentage double precision NOT NULL,
        plan jsonb NOT NULL,
        override boolean NOT NULL,
        reason text NOT NULL,
        tick integer NOT NULL,
        last_decision jsonb,
        analysis jsonb NOT NULL,
        first_counters jsonb,
        last_counters jsonb,
        candidate_heard_at timestamptz,
        control_heard_at timestamptz,
        next_tick_at timestamptz,
        sequence integer NOT NULL,
        pending jsonb,
        next_try_at timestamptz,
        outcome text,
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        started_at timestamptz,
        step_started_at timestamptz,
        ended_at timestamptz
      );
      CREATE INDEX rollouts_due ON flags.rollouts (next_tick_at) WHERE next_tick_at IS NOT NULL;
      CREATE INDEX rollouts_pending ON flags.rollouts (next_try_at) WHERE next_try_at IS NOT NULL;
      CREATE INDEX rollouts_of_candidate ON flags.rollouts (candidate_model_id);
      CREATE TABLE flags.rollout_decisions (
        rollout_id text NOT NULL,
        tick integer NOT NULL,
        at timestamptz NOT NULL,
        step integer NOT NULL,
        percentage double precision NOT NULL,
        action text NOT NULL,
        rule text NOT NULL,
        reason text NOT NULL,
        method text NOT NULL,
        inputs jsonb NOT NULL,
        guardrails jsonb NOT NULL,
        sample_ratio jsonb NOT NULL,
        PRIMARY KEY (rollout_id, tick)
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE flags.rollouts, flags.rollout_decisions');
  }
}
