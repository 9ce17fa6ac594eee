import { DurationHistogram, durationBuckets, histogramValues } from './duration-histogram.js';

const made = (): DurationHistogram => new DurationHistogram('took_seconds', 'How long.', ['route', 'status']);

it('counts by labels and by how long it took, each bound included', () => {
  const histogram = made();
  for (const seconds of [0.0005, 0.001, 0.002, 7, 60]) histogram.observe(seconds, '/a', 200);
  histogram.observe(0.3, '/a', 404);
  const [found, absent] = histogram.read();
  expect(found!.labels).toEqual({ route: '/a', status: 200 });
  expect([found!.cumulative[0], found!.cumulative[1], found!.cumulative[11], found!.cumulative[12], found!.count]).toEqual([2, 3, 3, 4, 5]);
  expect(found!.sum).toBeCloseTo(67.0035, 6);
  expect(absent!.labels).toEqual({ route: '/a', status: 404 });
  expect(absent!.count).toBe(1);
});

it('is told to Prometheus as one line for each bound, one for all, the sum and the count', () => {
  const histogram = made();
  histogram.observe(0.3, '/a', 200);
  const values = histogramValues('took_seconds', durationBuckets, histogram.read());
  const labels = { route: '/a', status: 200 };
  expect(values).toHaveLength(durationBuckets.length + 3);
  expect(values).toContainEqual({ metricName: 'took_seconds_bucket', labels: { ...labels, le: 0.25 }, value: 0 });
  expect(values).toContainEqual({ metricName: 'took_seconds_bucket', labels: { ...labels, le: 0.5 }, value: 1 });
  expect(values.slice(-3)).toEqual([
    { metricName: 'took_seconds_bucket', labels: { ...labels, le: '+Inf' }, value: 1 },
    { metricName: 'took_seconds_sum', labels, value: 0.3 },
    { metricName: 'took_seconds_count', labels, value: 1 },
  ]);
});
