import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type DataSet, type DataSetFormat } from '#contracts/data-set.js';
import { count, instant } from '#runtime/columns.js';

@Entity('data_sets')
export class DataSetEntity implements DataSet {
  @PrimaryColumn('text')
  data_set_id!: string;

  /** Whose pieces it is made of. */
  @Column('uuid')
  upload_id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  format!: DataSetFormat;

  @Column('integer')
  rows!: number;

  @Column('bigint', { transformer: count })
  bytes!: number;

  @Column('jsonb')
  columns!: string[];

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('text')
  created_by!: string;
}

/** An upload under way, as far as it has come: any replica can take its next piece. */
@Entity('uploads')
export class UploadEntity {
  @PrimaryColumn('uuid')
  upload_id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  format!: DataSetFormat;

  /** Of the piece that is expected. */
  @Column('integer')
  position!: number;

  @Column('integer')
  rows!: number;

  /** Those of whole rows. */
  @Column('bigint', { transformer: count })
  bytes!: number;

  /** The beginning of a row whose end has not come yet. */
  @Column('bytea')
  unfinished!: Buffer;

  @Column('jsonb', { nullable: true })
  columns!: string[] | null;

  @Column('timestamptz', { transformer: instant })
  touched_at!: string;
}

/** Whole rows as they were uploaded. */
@Entity('data_set_pieces')
export class PieceEntity {
  @PrimaryColumn('uuid')
  upload_id!: string;

  @PrimaryColumn('integer')
  position!: number;

  @Column('integer')
  rows_before!: number;

  @Column('integer')
  rows!: number;

  @Column('bytea')
  content!: Buffer;
}
