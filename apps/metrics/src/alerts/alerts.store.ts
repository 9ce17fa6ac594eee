import { Injectable } from '@nestjs/common';
import { type EntityManager, In, MoreThan, Not } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { type AlertMetric, type AlertRule } from '#contracts/alerts.js';
import { type HealthStatus } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { RecentWindowsStore } from '../health/recent-windows.store.js';
import { type Stretch } from '../health/stretch.js';
import { KnownModels } from '../known-models.store.js';
import { AlertEntity, AlertRuleEntity, SilenceEntity } from './alert.entity.js';
import { advance, end, type Step } from './alert-state.js';
import { alertOf } from './alert-view.js';
import { DeliveriesStore } from './deliveries.store.js';
import { type Finding, findingOf, shortMinutes } from './finding.js';
import { type Notice } from './notification.js';
import { appliesTo } from './rule-scope.js';
import { matches } from './silence.js';

const saveChunk = 500;
/** What needs sketches; everything else is sums. */
const percentiles = new Set<AlertMetric>(['p50_ms', 'p95_ms', 'p99_ms']);

/** What an evaluation reads of the windows, once for all rules. */
interface Windows {
  of: (minutes: number, model_id: string) => Stretch | undefined;
  baselineOf: (minutes: number, model_id: string) => Stretch | undefined;
}

/** Evaluates alert rules: which alerts begin, go on and end, and what is to be told of it. */
@Injectable()
export class AlertsStore {
  constructor(
    private readonly windows: RecentWindowsStore,
    private readonly known: KnownModels,
    private readonly deliveries: DeliveriesStore,
  ) {}

  /**
   * One evaluation of all rules. `manager` must hold the evaluation's lock: alerts and what is told of them are committed together. Writes
   * nothing before it has read the windows.
   */
  async evaluate(manager: EntityManager, health: Map<string, HealthStatus>, now: number): Promise<void> {
    const at = new Date(now).toISOString();
    const rules = await manager.findBy(AlertRuleEntity, { enabled: true });
    const models = [...this.known.all()];
    const windows = await this.read(manager, rules, models, now);
    // Locked, so that an acknowledgement waits instead of being overwritten.
    const open = await manager.find(AlertEntity, { where: { state: Not('resolved') }, lock: { mode: 'pessimistic_write' } });
    if (rules.length === 0 && open.length === 0) return;

    const stable = new Map(models.filter(({ status }) => status === 'stable').map((model) => [model.name, model]));
    const openByKey = new Map(open.map((alert) => [keyOf(alert), alert]));
    const silences = await manager.findBy(SilenceEntity, { until: MoreThan(at) });
    const outcome: Outcome = { kept: [], dropped: [], notices: [] };

    for (const rule of rules) {
      for (const model of models) {
        if (!appliesTo(rule.applies_to, model)) continue;
        const { model_id } = model;
        const alert = openByKey.get(keyOf({ rule_id: rule.rule_id, model_id })) ?? null;
        openByKey.delete(keyOf({ rule_id: rule.rule_id, model_id }));
        const stableId = stable.get(model.name)?.model_id;
        const finding = findingOf(rule, {
          window: windows.of(rule.window_minutes, model_id),
          short_window: windows.of(shortMinutes(rule.window_minutes), model_id),
          baseline: windows.baselineOf(rule.window_minutes, model_id),
          stable: stableId !== undefined && stableId !== model_id ? windows.of(rule.window_minutes, stableId) : undefined,
          health_status: health.get(model_id) ?? 'unknown',
          success_rate: model.objectives?.success_rate ?? null,
        });
        const step = advance(alert, finding.breached, rule, at);
        settle(outcome, alert ?? newAlert(rule, model, at), step, { ...finding, at }, silences);
      }
    }
    for (const alert of openByKey.values()) settle(outcome, alert, end(alert, at), { ...goneFinding(alert), at }, silences);
    await this.save(manager, outcome, at);
  }

  private async save(manager: EntityManager, { kept, dropped, notices }: Outcome, at: string): Promise<void> {
    if (dropped.length) await manager.delete(AlertEntity, { alert_id: In(dropped) });
    for (let from = 0; from < kept.length; from += saveChunk) {
      await manager.upsert(AlertEntity, kept.slice(from, from + saveChunk), ['alert_id']);
    }
    await this.deliveries.enqueue(manager, notices, at);
  }

  private async read(manager: EntityManager, rules: AlertRule[], models: Model[], now: number): Promise<Windows> {
    const recent = new Map<number, Map<string, Stretch>>();
    const baselines = new Map<number, Map<string, Stretch>>();
    for (const minutes of new Set(rules.flatMap(minutesOf))) {
      const using = rules.filter((rule) => minutesOf(rule).includes(minutes));
      const isRead = (model: Model): boolean =>
        using.some(
          ({ applies_to, comparison: { kind } }) =>
            appliesTo(applies_to, model) || (kind === 'stable_version' && model.status === 'stable'),
        );
      const ids = models.filter(isRead).map(({ model_id }) => model_id);
      const timings = using.some(({ metric }) => percentiles.has(metric));
      recent.set(minutes, await this.windows.recent(manager, ids, minutes, now, timings));
    }
    for (const { comparison, window_minutes, applies_to } of rules) {
      if (comparison.kind !== 'baseline') continue;
      const wanted = models.filter(
        (model) =>
          appliesTo(applies_to, model) &&
          recent.get(window_minutes)?.has(model.model_id) &&
          !baselines.get(window_minutes)?.has(model.model_id),
      );
      const read = await this.windows.baseline(
        manager,
        wanted.map(({ model_id }) => model_id),
        window_minutes,
        now,
      );
      baselines.set(window_minutes, new Map([...(baselines.get(window_minutes) ?? []), ...read]));
    }
    return {
      of: (minutes, model_id) => recent.get(minutes)?.get(model_id),
      baselineOf: (minutes, model_id) => baselines.get(minutes)?.get(model_id),
    };
  }
}

const minutesOf = ({ metric, window_minutes }: AlertRule): number[] => {
  if (metric === 'health_status') return [];
  return metric === 'burn_rate' ? [window_minutes, shortMinutes(window_minutes)] : [window_minutes];
};

const keyOf = ({ rule_id, model_id }: Pick<AlertEntity, 'rule_id' | 'model_id'>): string => `${rule_id} ${model_id}`;

interface Outcome {
  kept: AlertEntity[];
  /** Ids of pending alerts that came to nothing. */
  dropped: string[];
  notices: Notice[];
}

const newAlert = (rule: AlertRule, model: Model, at: string): AlertEntity => ({
  alert_id: uuidv7(),
  rule_id: rule.rule_id,
  rule_name: rule.name,
  model_id: model.model_id,
  model_name: model.name,
  model_version: model.version,
  metric: rule.metric,
  severity: rule.severity,
  state: 'resolved',
  reason: '',
  value: null,
  threshold: null,
  started_at: at,
  fired_at: null,
  recovering_since: null,
  resolved_at: null,
  last_value_at: at,
  acknowledged_at: null,
  acknowledged_by: null,
  acknowledge_reason: null,
  silenced: false,
  told: false,
});

const goneFinding = ({ value, threshold }: AlertEntity): Finding => ({
  breached: null,
  value,
  threshold,
  reason: 'the rule was removed, disabled or changed, and is no longer for this model',
});

/** Takes one step into the outcome, and says what is to be told of it, unless a silence holds it back. */
function settle(
  outcome: Outcome,
  alert: AlertEntity,
  { progress, transition }: Step,
  { value, threshold, reason, at }: Finding & { at: string },
  silences: SilenceEntity[],
): void {
  if (!progress) {
    // One that was just made up for this step was never stored.
    if (alert.state === 'pending') outcome.dropped.push(alert.alert_id);
    return;
  }
  const after: AlertEntity = { ...alert, ...progress, value, threshold, reason };
  const isSilenced = silences.some((silence) => matches(silence, after, at));
  const isUntold = !after.told && (after.state === 'firing' || after.state === 'recovering');
  if (transition || isUntold) after.silenced = isSilenced;
  if (isUntold && !isSilenced) {
    after.told = true;
    outcome.notices.push({ transition: 'firing', at, alert: alertOf(after) });
  }
  // Nobody needs to hear the end of what nobody heard the beginning of.
  if (transition === 'resolved' && after.told && !isSilenced) outcome.notices.push({ transition, at, alert: alertOf(after) });
  outcome.kept.push(after);
}
