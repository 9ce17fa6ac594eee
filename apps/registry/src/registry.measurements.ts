import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { modelStatuses } from '#contracts/registry.js';
import { measureRows } from '#runtime/database.measurements.js';
import { Telemetry } from '#runtime/telemetry.js';

@Injectable()
export class RegistryMeasurements {
  constructor(telemetry: Telemetry, database: DataSource) {
    measureRows(telemetry, database, {
      name: 'emr_models',
      help: 'Registered models by status.',
      from: 'registry.models',
      column: 'status',
      label: 'status',
      values: modelStatuses,
    });
  }
}
