import { BaseSequencer } from 'vitest/node';

// Vitest's order of spec files. It knows how long a file takes only after it has run once; in a fresh clone the longest would come last, alone.
const slowest = [
  // Not slow, but several times slower in a worker whose earlier files have left promise hooks on.
  'apps/metrics/src/ingest/ingest.simulation.spec.ts',
  'test/faults/suite.spec.ts',
  'test/alerts.spec.ts',
  'test/faults/kills.spec.ts',
  'test/faults/network.spec.ts',
  'test/faults/stream.spec.ts',
  'test/durable-runs.spec.ts',
  'test/baselines.spec.ts',
  'test/outage.spec.ts',
  'test/reporting.spec.ts',
  'test/wrong-environment.spec.ts',
  'test/standalone.spec.ts',
  'libs/embedded/src/postgres.service.spec.ts',
];

/** The place of a file: those above in their order, then stories, then the rest. */
function place(path) {
  const known = slowest.findIndex((file) => path.endsWith(file));
  return known >= 0 ? known : slowest.length + (path.includes('/test/') ? 0 : 1);
}

export default class SlowestFirst extends BaseSequencer {
  async sort(files) {
    return [...files].sort((a, b) => place(a.moduleId) - place(b.moduleId));
  }
}
