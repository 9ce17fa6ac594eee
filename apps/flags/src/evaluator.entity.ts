import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type JsonValue } from '#contracts/fields.js';
import { type Evaluator } from '#contracts/flag-evaluators.js';
import { instant } from '#runtime/columns.js';

@Entity('evaluators')
export class EvaluatorEntity implements Evaluator {
  @PrimaryColumn('text')
  name!: string;

  @Column('text')
  description!: string;

  @Column('jsonb')
  rule!: JsonValue;

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('timestamptz', { transformer: instant })
  updated_at!: string;

  @Column('text')
  created_by!: string;

  @Column('integer')
  revision!: number;
}
