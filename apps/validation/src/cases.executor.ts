import { Inject, Injectable } from '@nestjs/common';
import { type CaseResult } from '#contracts/case-result.js';
import { type Model } from '#contracts/registry.js';
import { type SignatureCheck } from '#contracts/validation.js';
import { Logger } from '#runtime/logger.js';
import { createInvoker } from './calling/invoker.js';
import { SignaturesStore } from './calling/signatures.store.js';
import { type Ways, WAYS } from './calling/ways.js';
import { DataSetsStore } from './data-sets/data-sets.store.js';
import { type JudgedCase, judgeCase, type Means } from './judging/judge-case.js';
import { RowOutcomesStore } from './row-outcomes.store.js';
import { type RunEntity } from './run.entity.js';

/** Cases of one run at a time: a model server is judged, not flooded. */
const maxCases = 4;

export interface JudgedRun {
  /** In the order of the cases. */
  results: CaseResult[];
  signature_check: SignatureCheck | null;
}

/** Judges the cases of one run. */
@Injectable()
export class CasesExecutor {
  constructor(
    @Inject(WAYS) private readonly ways: Ways,
    private readonly signatures: SignaturesStore,
    private readonly dataSets: DataSetsStore,
    private readonly outcomes: RowOutcomesStore,
    private readonly logger: Logger,
  ) {}

  /**
   * Performance cases come last and alone: beside others they would measure those too. Called off by `signal`, the rest is `error`. `judged` is
   * called after each case.
   */
  async judgeAll(
    run: Pick<RunEntity, 'run_id' | 'attempt'>,
    model: Model,
    cases: JudgedCase[],
    { signal, judged }: { signal: AbortSignal; judged: () => void },
  ): Promise<JudgedRun> {
    const { serving, name } = model;
    if (!serving) return { results: [], signature_check: null };
    const { signature, check } = await this.signatures.declaredBy(model, signal);
    const means: Means = {
      invoker: createInvoker(this.ways, { name, serving, signature }),
      rows: (data_set_id, max_rows) => this.dataSets.rows(data_set_id, max_rows),
      keep: (test_case_id, data_set_id, outcomes) => this.outcomes.keep(run, { test_case_id, data_set_id }, outcomes),
    };
    const numbered = [...cases.entries()];
    const results: CaseResult[] = [];
    const judgeSome = async (some: [number, JudgedCase][], atOnce: number): Promise<void> => {
      const rest = some.values();
      const judge = async (): Promise<void> => {
        for (const [index, testCase] of rest) {
          results[index] = await this.judge(testCase, means, signal);
          judged();
        }
      };
      await Promise.all(Array.from({ length: atOnce }, judge));
    };
    await judgeSome(
      numbered.filter(([, { type }]) => type !== 'performance'),
      maxCases,
    );
    await judgeSome(
      numbered.filter(([, { type }]) => type === 'performance'),
      1,
    );
    return { results, signature_check: check };
  }

  private async judge(testCase: JudgedCase, means: Means, signal: AbortSignal): Promise<CaseResult> {
    const { test_case_id, type, revision } = testCase;
    try {
      return await judgeCase(testCase, means, signal);
    } catch (error) {
      this.logger.failure('A test case could not be run', error, { test_case_id });
      return { test_case_id, type, revision, outcome: 'error', duration_ms: null, reason: 'the case could not be run', checks: [] };
    }
  }
}
