import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { flagStates } from '#contracts/flags.js';
import { rolloutStatuses } from '#contracts/rollouts.js';
import { breakerStates } from '#contracts/selection.js';
import { measureRows } from '#runtime/database.measurements.js';
import { Telemetry } from '#runtime/telemetry.js';

@Injectable()
export class FlagsMeasurements {
  constructor(telemetry: Telemetry, database: DataSource) {
    measureRows(telemetry, database, {
      name: 'emr_flags',
      help: 'Flags by state.',
      from: 'flags.flags',
      column: 'state',
      label: 'state',
      values: flagStates,
    });
    measureRows(telemetry, database, {
      name: 'emr_rollouts',
      help: 'Rollouts by status; those that ended are there for as long as they are kept.',
      from: 'flags.rollouts',
      column: 'status',
      label: 'status',
      values: rolloutStatuses,
    });
    measureRows(telemetry, database, {
      name: 'emr_rollouts_pending_change',
      help: 'Rollouts with a change that the registry is still to make, by status.',
      from: 'flags.rollouts WHERE pending IS NOT NULL',
      column: 'status',
      label: 'status',
      values: rolloutStatuses,
    });
    measureRows(telemetry, database, {
      name: 'emr_breakers',
      help: 'Breakers of models by the state in force: a forced one, or what was counted has made of it.',
      from: 'flags.model_states',
      column: `coalesce(forced, breaker->>'state')`,
      label: 'state',
      values: breakerStates,
    });
  }
}
