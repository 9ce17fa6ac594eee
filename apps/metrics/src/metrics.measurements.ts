import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { alertSeverities, alertStates } from '#contracts/alerts.js';
import { inferenceStream } from '#contracts/inference.js';
import { deliveryStates } from '#contracts/webhooks.js';
import { measureRows } from '#runtime/database.measurements.js';
import { type HistogramReading } from '#runtime/duration-histogram.js';
import { measureConsumer } from '#runtime/jetstream.measurements.js';
import { Nats } from '#runtime/nats.js';
import { type Reading, Telemetry } from '#runtime/telemetry.js';
import { type WindowSum } from './windows/tally.js';
import { inferenceBounds, type ModelSeries, ModelSeriesSet } from './ingest/model-series.js';
import { KnownModels } from './known-models.store.js';

/** What is told of a model in every line of it. */
interface ModelLabels extends Record<string, string> {
  model_id: string;
  model: string;
  version: string;
}

const others: ModelLabels = { model_id: 'other', model: 'other', version: 'other' };

/**
 * What Prometheus is told of inferences, alerts and the stream. Inferences are counted by the replica that committed them, so replicas add up; one
 * that dies takes its counts along, as a counter may. What was counted since ever is in PostgreSQL alone.
 */
@Injectable()
export class MetricsMeasurements {
  private readonly models = new ModelSeriesSet(Date.now());

  constructor(
    telemetry: Telemetry,
    database: DataSource,
    nats: Nats,
    private readonly known: KnownModels,
  ) {
    measureConsumer(telemetry, nats, inferenceStream.name, inferenceStream.durable);
    telemetry.gauge('emr_alerts', 'Alerts of models by severity and state, those that are resolved aside.', () => openAlerts(database));
    measureRows(telemetry, database, {
      name: 'emr_alert_deliveries',
      help: 'Messages of alerts to webhooks and the stream of facts, by state; those that are over for as long as they are kept.',
      from: 'metrics.deliveries',
      column: 'state',
      label: 'state',
      values: deliveryStates,
    });
    telemetry.gauge('emr_dead_letters', 'Inference events that could not be counted and wait for someone to look.', async () => {
      const [row] = await database.query<{ count: number }[]>('SELECT count(*)::int AS count FROM metrics.dead_letter');
      return [{ labels: {}, value: row!.count }];
    });
    telemetry.counted(
      'emr_model_inferences_total',
      'Inferences by model and outcome: of the 100 most used models, and of all others as one.',
      () =>
        this.labelled().flatMap(([labels, { successful, failed }]) => [
          { labels: { ...labels, outcome: 'success' }, value: successful },
          { labels: { ...labels, outcome: 'failure' }, value: failed },
        ]),
    );
    const bounds = inferenceBounds.map((ms) => ms / 1000);
    telemetry.histogram('emr_model_inference_duration_seconds', 'How long inferences took, as reported, by model.', bounds, () =>
      this.labelled().map(([labels, series]): HistogramReading => {
        const count = series.successful + series.failed;
        return { labels, cumulative: series.cumulative(), count, sum: series.sum_ms / 1000 };
      }),
    );
  }

  /** What a batch has added, once it is committed. */
  count(sums: readonly WindowSum[], now_ms: number): void {
    for (const { model_id, flag_key, counters } of sums) if (flag_key === '') this.models.add(model_id, counters, now_ms);
  }

  /** A model that is gone, or that this process has not heard of yet, is left out. */
  private labelled(): [ModelLabels, ModelSeries][] {
    const named = [...this.models.named].flatMap(([model_id, series]): [ModelLabels, ModelSeries][] => {
      const model = this.known.find(model_id);
      return model ? [[{ model_id, model: model.name, version: model.version }, series]] : [];
    });
    return [...named, [others, this.models.other]];
  }
}

const openStates = alertStates.filter((state) => state !== 'resolved');

async function openAlerts(database: DataSource): Promise<Reading[]> {
  const rows = await database.query<{ severity: string; state: string; count: number }[]>(
    `SELECT severity, state, count(*)::int AS count FROM metrics.alerts WHERE state <> 'resolved' GROUP BY 1, 2`,
  );
  const counts = new Map(rows.map(({ severity, state, count }) => [`${severity} ${state}`, count]));
  return alertSeverities.flatMap((severity) =>
    openStates.map((state) => ({ labels: { severity, state }, value: counts.get(`${severity} ${state}`) ?? 0 })),
  );
}
