import { errorOf } from './answer-checks.harness.js';
import { type Operation } from './description.harness.js';
import { type Exchange, succeeded } from './exchange.harness.js';

/** What was asked and answered, in figures. */
export class Report {
  requests = 0;
  readonly statuses = new Map<string, number>();
  private readonly asked = new Map<string, { statuses: Map<string, number>; successes: number; slowest_ms: number }>();

  count(one: Exchange): void {
    this.requests++;
    const code = one.answer?.status === 503 ? ` ${errorOf(one)?.code}` : '';
    const status = `${one.answer?.status ?? 'none'}${code}`;
    const of = this.asked.get(one.operation.id) ?? { statuses: new Map<string, number>(), successes: 0, slowest_ms: 0 };
    for (const statuses of [this.statuses, of.statuses]) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (succeeded(one)) of.successes++;
    of.slowest_ms = Math.max(of.slowest_ms, one.ended_ms - one.began_ms);
    this.asked.set(one.operation.id, of);
  }

  /** Those of them that were not asked so far, or never with success. */
  missing(operations: readonly Operation[]): { notAsked: string[]; neverWithSuccess: string[] } {
    const ids = operations.map(({ id }) => id);
    return {
      notAsked: ids.filter((id) => !this.asked.has(id)),
      neverWithSuccess: ids.filter((id) => this.asked.get(id)?.successes === 0),
    };
  }

  text(operations: readonly Operation[]): string {
    const { notAsked, neverWithSuccess } = this.missing(operations);
    const never = neverWithSuccess.map((id) => `${id} (${counts(this.asked.get(id)!.statuses)})`);
    const slowest = [...this.asked].sort(([, a], [, b]) => b.slowest_ms - a.slowest_ms).slice(0, 5);
    return [
      `${this.requests} requests to ${operations.length - notAsked.length} of ${operations.length} operations`,
      `answers: ${counts(this.statuses)}`,
      `not asked: ${notAsked.join(', ') || 'none'}; never with success: ${never.join(', ') || 'none'}`,
      `slowest: ${slowest.map(([id, { slowest_ms }]) => `${id} ${slowest_ms.toFixed(0)} ms`).join(', ')}`,
    ].join('\n');
  }
}

const counts = (statuses: ReadonlyMap<string, number>): string =>
  [...statuses]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([status, count]) => `${status}: ${count}`)
    .join(', ');
