import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** A change of a view that is committed and not yet published. `value` null: the thing is gone. */
@Entity('outbox')
export class OutboxEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  outbox_id!: string;

  @Column('text')
  bucket!: string;

  @Column('text')
  key!: string;

  @Column('jsonb', { nullable: true })
  value!: object | null;

  /** W3C Trace Context: what the change was a part of. */
  @Column('text', { nullable: true })
  traceparent!: string | null;
}

/** The table of the entity above, for a service's first migration; a later one adds `traceparent`. */
export const outboxTable = (schema: string): string => `
  CREATE TABLE "${schema}".outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bucket text NOT NULL,
    key text NOT NULL,
    value jsonb
  );
`;
