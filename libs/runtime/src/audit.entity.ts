import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { type AuditEntry } from '#contracts/audit.js';
import { type JsonValue } from '#contracts/fields.js';
import { instant } from './columns.js';

/** One change of something that this service owns. A trigger refuses UPDATE, DELETE and TRUNCATE. */
@Entity('audit')
@Index('audit_subject', ['subject_id', 'audit_id'])
export class AuditEntity implements AuditEntry {
  @PrimaryColumn('uuid')
  audit_id!: string;

  /** The database's clock when the row was written, not when its transaction began. */
  @Column('timestamptz', { transformer: instant, default: () => 'clock_timestamp()' })
  at!: string;

  @Column('text')
  key_id!: string;

  @Column('text')
  actor!: string;

  @Column('text')
  request_id!: string;

  @Column('text')
  action!: string;

  @Column('text')
  subject_type!: string;

  @Column('text')
  subject_id!: string;

  @Column('text', { nullable: true })
  reason!: string | null;

  @Column('jsonb', { nullable: true })
  before!: JsonValue;

  @Column('jsonb', { nullable: true })
  after!: JsonValue;
}

/** The table of the entity above, for a service's first migration. */
export const auditTable = (schema: string): string => `
  CREATE TABLE "${schema}".audit (
    audit_id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    key_id text NOT NULL,
    actor text NOT NULL,
    request_id text NOT NULL,
    action text NOT NULL,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    reason text,
    before jsonb,
    after jsonb
  );
  CREATE INDEX audit_subject ON "${schema}".audit (subject_id, audit_id);
  CREATE FUNCTION "${schema}".refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$;
  CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "${schema}".audit
    FOR EACH STATEMENT EXECUTE FUNCTION "${schema}".refuse_audit_change();
`;
