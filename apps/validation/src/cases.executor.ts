import { Inject, Injectable } from '@nestjs/common';
import { type CaseResult } from '#contracts/case-result.js';
import { type Model } from '#contracts/registry.js';
import { type SignatureCheck } from '#contracts/validation.js';
import { Logger } from '#runtime/logger.js';
import { createInvoker, type Invoker } from './calling/invoker.js';
import { SignaturesStore } from './calling/signatures.store.js';
import { type Ways, WAYS } from './calling/ways.js';
import { judgeCase } from './judging/judge-case.js';
import { type TestCaseEntity } from './test-case.entity.js';

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
    private readonly logger: Logger,
  ) {}

  /** Performance cases come last and alone: beside others they would measure those too. Called off by `signal`, the rest is `error`. */
  async judgeAll(model: Model, cases: TestCaseEntity[], signal: AbortSignal): Promise<JudgedRun> {
    const { serving, name } = model;
    if (!serving) return { results: [], signature_check: null };
    const { signature, check } = await this.signatures.declaredBy(model, signal);
    const invoker = createInvoker(this.ways, { name, serving, signature });
    const numbered = [...cases.entries()];
    const results: CaseResult[] = [];
    const judgeSome = async (some: [number, TestCaseEntity][], atOnce: number): Promise<void> => {
      const rest = some.values();
      const judge = async (): Promise<void> => {
        for (const [index, testCase] of rest) results[index] = await this.judge(testCase, invoker, signal);
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

  private async judge(testCase: TestCaseEntity, invoker: Invoker, signal: AbortSignal): Promise<CaseResult> {
    const { test_case_id, type, revision } = testCase;
    try {
      return await judgeCase(testCase, invoker, signal);
    } catch (error) {
      this.logger.failure('A test case could not be run', error, { test_case_id });
      return { test_case_id, type, revision, outcome: 'error', duration_ms: null, reason: 'the case could not be run', checks: [] };
    }
  }
}
