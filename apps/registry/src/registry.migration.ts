import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { auditTable } from '#runtime/audit.entity.js';
import { outboxTable } from '#runtime/outbox.entity.js';

export class Registry1700000000001 implements MigrationInterface {
  name = 'Registry1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE registry.models (
        model_id text PRIMARY KEY,
        name text NOT NULL,
        version text NOT NULL,
        model_type text NOT NULL,
        status text NOT NULL,
        description text NOT NULL,
        sport text,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        created_by text NOT NULL,
        deployment_target text NOT NULL,
        feature_flag_id text,
        rollout_percentage double precision NOT NULL,
        retention_days integer NOT NULL,
        serving jsonb,
        retired_at timestamptz,
        revision integer NOT NULL,
        CONSTRAINT models_name_version UNIQUE (name, version)
      );
      CREATE UNIQUE INDEX models_one_stable_version ON registry.models (name) WHERE status = 'stable';
      CREATE INDEX models_newest ON registry.models (created_at, model_id);
      CREATE INDEX models_due ON registry.models (retired_at) WHERE retired_at IS NOT NULL;

      CREATE TABLE registry.keys (
        key_id text PRIMARY KEY,
        name text NOT NULL,
        role text NOT NULL,
        sports jsonb,
        names jsonb,
        prefix text NOT NULL,
        mac text NOT NULL,
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz,
        CONSTRAINT keys_mac UNIQUE (mac)
      );
      ${auditTable('registry')}
      ${outboxTable('registry')}
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE registry.models, registry.keys, registry.audit, registry.outbox;
      DROP FUNCTION registry.refuse_audit_change();
    `);
  }
}
