import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { auditTable } from '#runtime/audit.entity.js';

export class Flags1700000000001 implements MigrationInterface {
  name = 'Flags1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE flags.flags (
        flag_key text PRIMARY KEY,
        description text NOT NULL,
        state text NOT NULL,
        variants jsonb NOT NULL,
        default_variant text NOT NULL,
        rollout_variant text,
        rollout_percentage double precision NOT NULL,
        model_id text,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        created_by text NOT NULL,
        revision integer NOT NULL
      );
      CREATE INDEX flags_of_model ON flags.flags (model_id);
      ${auditTable('flags')}
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE flags.flags, flags.audit;
      DROP FUNCTION flags.refuse_audit_change();
    `);
  }
}
