import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type JsonValue } from '#contracts/fields.js';
import { type Expectation } from '#contracts/expectation.js';
import { type AppliesTo, type CaseData, type Load, type Step, type TestCase, type TestCaseType } from '#contracts/test-case.js';
import { instant } from '#runtime/columns.js';

@Entity('test_cases')
export class TestCaseEntity implements TestCase {
  @PrimaryColumn('text')
  test_case_id!: string;

  @Column('text')
  type!: TestCaseType;

  @Column('text')
  description!: string;

  @Column('jsonb')
  applies_to!: AppliesTo;

  @Column('jsonb', { nullable: true })
  input!: JsonValue | null;

  @Column('jsonb')
  expectations!: Expectation[];

  @Column('double precision', { nullable: true })
  max_duration_ms!: number | null;

  @Column('jsonb')
  steps!: Step[];

  @Column('jsonb', { nullable: true })
  load!: Load | null;

  @Column('jsonb', { nullable: true })
  data!: CaseData | null;

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('timestamptz', { transformer: instant })
  updated_at!: string;

  @Column('text')
  created_by!: string;

  @Column('integer')
  revision!: number;
}

/** A case as it was at each of its revisions: what the results of runs refer to. It outlives the case. */
@Entity('case_revisions')
export class CaseRevisionEntity {
  @PrimaryColumn('text')
  test_case_id!: string;

  @PrimaryColumn('integer')
  revision!: number;

  @Column('jsonb')
  test_case!: TestCase;
}
