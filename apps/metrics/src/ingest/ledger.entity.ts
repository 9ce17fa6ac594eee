import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { instant } from '#runtime/columns.js';

/** Which messages of which producer have been counted. */
@Entity('ingest_ledger')
export class IngestLedgerEntity {
  @PrimaryColumn('text')
  source!: string;

  @Column('int8multirange', { default: '{}' })
  applied!: string;

  @Column('timestamptz', { transformer: instant, default: () => 'now()' })
  seen_at!: string;

  /** Where the newest counted message of this producer stood on the stream, and since when; null once that stream has lost its end. */
  @Column('bigint', { nullable: true })
  place!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  stored_at!: string | null;
}

/** An event that its producer gave an id, counted; kept as long as a late event may come. */
@Entity('counted_event')
@Index('counted_event_at', ['at'])
export class CountedEventEntity {
  @PrimaryColumn('text')
  model_id!: string;

  @PrimaryColumn('text')
  event_id!: string;

  @Column('timestamptz', { transformer: instant, default: () => 'now()' })
  at!: string;
}
