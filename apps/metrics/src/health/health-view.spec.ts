import { type HealthStatus, type Performance } from '#contracts/metrics.js';
import { differenceOf, healthOf, type HealthState } from './health-view.js';

const earlier = '2026-01-01T00:00:00.000Z';
const now = '2026-01-02T00:00:00.000Z';

const state = (health_status: HealthStatus | null, total = 5, reasons = ['why']): HealthState => ({
  total,
  health_status,
  reasons: health_status && reasons,
  since: health_status && earlier,
});

const published = (health_status: HealthStatus, total: number, reasons: string[]): Performance =>
  ({ model_id: 'm', metrics: { total_inferences: total }, health_status, reasons, since: earlier }) as Performance;

const nothing = '0 inferences in the last 15 minutes; 20 are needed';

describe('what is to be published of a model', () => {
  it('is its stored status', () => {
    expect(healthOf(state('degraded'), undefined, now)).toEqual({ health_status: 'degraded', reasons: ['why'], since: earlier });
  });

  it('is unknown while it was not judged, for as long as that was published', () => {
    const unknown = { health_status: 'unknown', reasons: [nothing] };
    expect(healthOf(undefined, undefined, now)).toEqual({ ...unknown, since: now });
    expect(healthOf(state(null), published('unknown', 0, [nothing]), now)).toEqual({ ...unknown, since: earlier });
    expect(healthOf(undefined, published('healthy', 0, []), now)).toEqual({ ...unknown, since: now });
  });

  it.each([
    ['a model of which nothing was published', state('healthy'), undefined, 'status'],
    ['a model without inferences of which nothing was published', undefined, undefined, 'status'],
    ['another status', state('degraded'), published('healthy', 5, ['why']), 'status'],
    ['more inferences', state('healthy', 6), published('healthy', 5, ['why']), 'figures'],
    ['other reasons', state('healthy'), published('healthy', 5, ['before']), 'figures'],
    ['the same', state('healthy'), published('healthy', 5, ['why']), null],
    ['nothing, as was published', undefined, published('unknown', 0, [nothing]), null],
  ] as const)('differs by %s', (_, stored, before, difference) => {
    expect(differenceOf(stored, before)).toBe(difference);
  });
});
