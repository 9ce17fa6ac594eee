import { BaseSequencer } from 'vitest/node';

// Vitest's order of spec files. It knows how long a file takes only after it has run once; in a fresh clone the longest would come last, alone. Files
// that start many processes stand apart from each other: two cores carry two of them, and what has a deadline would miss it beside more.
const first = [
  // Not slow, but several times slower in a worker whose earlier files have left promise hooks on.
  'apps/metrics/src/ingest/ingest.simulation.spec.ts',
  'test/faults/suite.spec.ts',
  'test/alerts.spec.ts',
  'test/faults/kills.spec.ts',
  'test/data-sets.spec.ts',
  'libs/embedded/src/postgres.service.spec.ts',
  'test/selection.spec.ts',
  'test/faults/network.spec.ts',
  'test/baselines.spec.ts',
  'test/faults/stream.spec.ts',
  'test/durable-runs.spec.ts',
  'test/outage.spec.ts',
  'test/reporting.spec.ts',
  'test/projections.spec.ts',
  'test/validation.spec.ts',
  'test/standalone.spec.ts',
  'test/rollout-faults.spec.ts',
  'test/selection-trace.spec.ts',
  'test/wrong-environment.spec.ts',
  'test/prometheus.spec.ts',
  'test/access.spec.ts',
  'test/selection-faults.spec.ts',
  'test/client-package.spec.ts',
  'test/tls.spec.ts',
  'test/lost-store.spec.ts',
  'test/faults/poison.spec.ts',
  'test/rollouts.spec.ts',
];

/** The place of a file: those above in their order, then stories, then the rest. */
function place(path) {
  const known = first.findIndex((file) => path.endsWith(file));
  return known >= 0 ? known : first.length + (path.includes('/test/') ? 0 : 1);
}

export default class SpecOrder extends BaseSequencer {
  async sort(files) {
    return [...files].sort((a, b) => place(a.moduleId) - place(b.moduleId));
  }
}
