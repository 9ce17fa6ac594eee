import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { outboxTable } from '#runtime/outbox.entity.js';

/** Flags as flagd defines them, with a split and models by variant instead of one rollout and one model; and shared evaluators. */
export class Flags1700000000002 implements MigrationInterface {
  name = 'Flags1700000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX flags.flags_of_model;
      ALTER TABLE flags.flags
        ALTER COLUMN default_variant DROP NOT NULL,
        ADD COLUMN targeting jsonb,
        ADD COLUMN split jsonb,
        ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN variant_models jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN owner text,
        ADD COLUMN expires_at timestamptz,
        ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
        ADD COLUMN rollout_id text;
      UPDATE flags.flags SET split = jsonb_build_object(
        'algorithm', 'fractional',
        'salt', flag_key,
        'weights', jsonb_build_object(default_variant, 2000000 - round(rollout_percentage * 20000))
          || jsonb_build_object(rollout_variant, round(rollout_percentage * 20000))
      ) WHERE rollout_variant IS NOT NULL;
      UPDATE flags.flags SET variant_models = (SELECT jsonb_object_agg(name, model_id) FROM jsonb_object_keys(variants) AS name)
        WHERE model_id IS NOT NULL;
      ALTER TABLE flags.flags
        DROP COLUMN rollout_variant,
        DROP COLUMN rollout_percentage,
        DROP COLUMN model_id,
        ALTER COLUMN metadata DROP DEFAULT,
        ALTER COLUMN variant_models DROP DEFAULT,
        ALTER COLUMN tags DROP DEFAULT;
      CREATE TABLE flags.evaluators (
        name text PRIMARY KEY,
        description text NOT NULL,
        rule jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        created_by text NOT NULL,
        revision integer NOT NULL
      );
      ${outboxTable('flags')}
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE flags.evaluators, flags.outbox;
      DELETE FROM flags.flags WHERE default_variant IS NULL;
      ALTER TABLE flags.flags
        ALTER COLUMN default_variant SET NOT NULL,
        ADD COLUMN rollout_variant text,
        ADD COLUMN rollout_percentage double precision NOT NULL DEFAULT 0,
        ADD COLUMN model_id text,
        DROP COLUMN targeting,
        DROP COLUMN split,
        DROP COLUMN metadata,
        DROP COLUMN variant_models,
        DROP COLUMN owner,
        DROP COLUMN expires_at,
        DROP COLUMN tags,
        DROP COLUMN rollout_id;
      ALTER TABLE flags.flags ALTER COLUMN rollout_percentage DROP DEFAULT;
      CREATE INDEX flags_of_model ON flags.flags (model_id);
    `);
  }
}
