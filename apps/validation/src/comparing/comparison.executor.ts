import { Injectable } from '@nestjs/common';
import { type CaseResult, type Measured } from '#contracts/case-result.js';
import { type Model } from '#contracts/registry.js';
import { RowOutcomesStore } from '../row-outcomes.store.js';
import { type BaselineEntity } from './baseline.entity.js';
import { BaselinesStore } from './baselines.store.js';
import { compareErrors, compareLatency, compareTails } from './compare-load.js';
import { compareMetricSteps, paired } from './compare-rows.js';
import { type ComparedCase, type ComparedMetric, compareRun, notComparable, type RunComparison } from './compare-run.js';
import { PolicyStore } from './policy.store.js';
import { inTurns } from './turns.js';

/** Holds the results of a run against the baselines of its model's name. */
@Injectable()
export class ComparisonExecutor {
  constructor(
    private readonly baselines: BaselinesStore,
    private readonly rows: RowOutcomesStore,
    private readonly policies: PolicyStore,
  ) {}

  /** One case after the other: the rows of two models are in memory at a time. */
  async compare(run_id: string, { name }: Model, results: CaseResult[]): Promise<RunComparison & { policy_revision: number }> {
    const { revision, ...policy } = await this.policies.current();
    await this.baselines.follow(name);
    const baselines = await this.baselines.of(
      name,
      results.map(({ test_case_id }) => test_case_id),
    );
    const cases: ComparedCase[] = [];
    for (const result of results) {
      const baseline = baselines.get(result.test_case_id) ?? null;
      const metrics = baseline && notComparable(result, baseline) === null ? await this.metrics(run_id, result, baseline) : [];
      cases.push({ result, baseline, metrics });
    }
    return { ...compareRun(cases, policy), policy_revision: revision };
  }

  private async metrics(run_id: string, result: CaseResult, baseline: BaselineEntity): Promise<ComparedMetric[]> {
    if (result.measured && baseline.measured) return loads(result.measured, baseline.measured);
    const names = [...Object.keys(result.metrics ?? {}), ...Object.keys(result.not_measured ?? {})];
    return names.length ? this.rowMetrics(run_id, result, baseline, names) : [];
  }

  private async rowMetrics(run_id: string, result: CaseResult, baseline: BaselineEntity, names: string[]): Promise<ComparedMetric[]> {
    const { test_case_id } = result;
    const [ours, theirs] = [await this.rows.of(run_id, test_case_id), await this.rows.of(baseline.run_id, test_case_id)];
    const all = (not_compared: string): ComparedMetric[] => names.map((metric) => ({ metric, comparison: { not_compared } }));
    if (!ours || !theirs) return all('the rows of a run are no longer there');
    if (ours.data_set_id !== theirs.data_set_id) return all('the baseline judged another data set');
    const pairs = paired(ours.outcomes, theirs.outcomes);
    const compared: ComparedMetric[] = [];
    for (const metric of names) compared.push({ metric, comparison: await inTurns(compareMetricSteps(metric, pairs)) });
    return compared;
  }
}

const loads = (candidate: Measured, baseline: Measured): ComparedMetric[] => [
  { metric: 'latency', comparison: compareLatency(candidate, baseline) },
  { metric: 'p95_ms', comparison: compareTails(candidate, baseline, 0.95) },
  { metric: 'p99_ms', comparison: compareTails(candidate, baseline, 0.99) },
  { metric: 'error_rate', comparison: compareErrors(candidate, baseline) },
];
