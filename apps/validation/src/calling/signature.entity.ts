import { Column, Entity, PrimaryColumn } from 'typeorm';
import { instant } from '#runtime/columns.js';
import { type Signature } from './signature.js';

/** What a version's server declared when it was first asked at this address. */
@Entity('signatures')
export class SignatureEntity {
  @PrimaryColumn('text')
  model_id!: string;

  @Column('text')
  metadata_url!: string;

  @Column('jsonb')
  signature!: Signature;

  @Column('timestamptz', { transformer: instant })
  read_at!: string;
}
