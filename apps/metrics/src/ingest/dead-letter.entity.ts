import { Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm';
import { count, instant } from '#runtime/columns.js';

/** An event that could not be counted, once, with the reason. `event` is its place in the message; -1: the whole message. */
@Entity('dead_letter')
@Unique('dead_letter_once', ['source', 'sequence', 'event'])
export class DeadLetterEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  letter_id!: string;

  @Column('text')
  source!: string;

  @Column('bigint', { transformer: count })
  sequence!: number;

  @Column('integer')
  event!: number;

  /** Of an event that names a model which does not exist. */
  @Column('text', { nullable: true })
  model_id!: string | null;

  @Column('text')
  reason!: string;

  /** The event as JSON, or the first 4 kB of a message that was refused as a whole. */
  @Column('bytea')
  body!: Buffer;

  @Column('timestamptz', { transformer: instant, default: () => 'now()' })
  at!: string;
}
