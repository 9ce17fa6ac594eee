import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type JsonValue } from '#contracts/fields.js';
import { type Expectation } from '#contracts/expectation.js';
import { type AppliesTo, type TestCase } from '#contracts/test-case.js';
import { instant } from '#runtime/columns.js';

@Entity('test_cases')
export class TestCaseEntity implements TestCase {
  @PrimaryColumn('text')
  test_case_id!: string;

  @Column('text')
  description!: string;

  @Column('jsonb')
  applies_to!: AppliesTo;

  @Column('jsonb')
  input!: JsonValue;

  @Column('jsonb')
  expectations!: Expectation[];

  @Column('double precision', { nullable: true })
  max_duration_ms!: number | null;

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('timestamptz', { transformer: instant })
  updated_at!: string;

  @Column('text')
  created_by!: string;

  @Column('integer')
  revision!: number;
}
