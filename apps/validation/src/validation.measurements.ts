import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { runQueue } from '#contracts/validation.js';
import { measureRows } from '#runtime/database.measurements.js';
import { measureConsumer } from '#runtime/jetstream.measurements.js';
import { Nats } from '#runtime/nats.js';
import { Telemetry } from '#runtime/telemetry.js';

@Injectable()
export class ValidationMeasurements {
  constructor(telemetry: Telemetry, database: DataSource, nats: Nats) {
    measureConsumer(telemetry, nats, runQueue.name, runQueue.durable);
    measureRows(telemetry, database, {
      name: 'emr_validation_runs',
      help: 'Validation runs that are not over, by whether a replica has them in hand.',
      from: `validation.runs WHERE status = 'running'`,
      column: `CASE WHEN lease_until IS NULL THEN 'waiting' ELSE 'running' END`,
      label: 'state',
      values: ['waiting', 'running'],
    });
    telemetry.gauge('emr_outbox_rows', 'Committed changes that NATS has not acknowledged yet.', async () => {
      const [row] = await database.query<{ count: number }[]>('SELECT count(*)::int AS count FROM validation.facts');
      return [{ labels: { outbox: 'facts' }, value: row!.count }];
    });
  }
}
