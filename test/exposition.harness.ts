/** A metric as Prometheus reads it. */
export interface ExposedMetric {
  name: string;
  type: string;
  help: string;
  /** Of all its lines. */
  labels: Set<string>;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the text format; throws for a line that is none of it, or comes before its HELP and TYPE. */
export function readExposition(text: string): Map<string, ExposedMetric> {
  const metrics = new Map<string, ExposedMetric>();
  let current: ExposedMetric | undefined;
  for (const row of text.split('\n').filter(Boolean)) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(row) ?? [];
    if (kind === 'HELP') {
      if (metrics.has(name)) throw new Error(`${name} is told twice`);
      metrics.set(name, (current = { name, type: '', help: rest, labels: new Set(), samples: [] }));
    } else if (kind === 'TYPE') {
      if (current?.name !== name) throw new Error(`${name} has a type and no help`);
      current.type = rest;
    } else {
      const [, sample = '', labels = '', value = ''] = line.exec(row) ?? [];
      if (!current || baseOf(sample, current.type) !== current.name) throw new Error(`Not a line of ${current?.name}: ${row}`);
      const pairs = [...labels.matchAll(label)].map(([, key, text]): [string, string] => [key!, text!]);
      for (const [key] of pairs) current.labels.add(key);
      current.samples.push({ name: sample, labels: Object.fromEntries(pairs), value: Number(value) });
    }
  }
  return metrics;
}

function baseOf(sample: string, type: string): string {
  if (type === 'histogram') return sample.replace(/_(bucket|sum|count)$/, '');
  return type === 'summary' ? sample.replace(/_(sum|count)$/, '') : sample;
}

const otherUnits = /_(milliseconds|ms|microseconds|minutes|hours|days|kilobytes|kb|megabytes|mb|bits|percent|celsius_milli)(_|$)/;

/** What `promtool check metrics` would say, and that all lines of a histogram are whole. */
export function lint({ name, type, help, labels, samples }: ExposedMetric): string[] {
  const rules: [boolean, string][] = [
    [help.trim() === '', 'no help text'],
    [!/^[a-z_][a-z0-9_]*$/.test(name), 'the name is not in lower case with underscores'],
    [!['counter', 'gauge', 'histogram', 'summary'].includes(type), `${type} is no type`],
    [type === 'counter' && !name.endsWith('_total'), 'a counter without _total at its end'],
    [type !== 'counter' && name.endsWith('_total'), '_total at the end of what is no counter'],
    [/_(count|sum|bucket)$/.test(name), 'a name that ends like a part of a histogram'],
    [/_(counter|gauge|histogram|summary)(_|$)/.test(name), 'the type is in the name'],
    [otherUnits.test(name), 'not in a base unit'],
    [type !== 'histogram' && labels.has('le'), 'le is a histogram’s'],
    [type !== 'summary' && labels.has('quantile'), 'quantile is a summary’s'],
    [[...labels].some((key) => !/^[a-z_][a-z0-9_]*$/.test(key)), 'a label that is not in lower case with underscores'],
    [samples.some(({ value }) => Number.isNaN(value)), 'a value that is no number'],
    [type === 'counter' && samples.some(({ value }) => value < 0), 'a counter below zero'],
    [new Set(samples.map((sample) => JSON.stringify([sample.name, sample.labels]))).size < samples.length, 'the same series twice'],
    [type === 'histogram' && !isWholeHistogram(samples), 'a histogram whose buckets are not cumulative, or do not end in its count'],
  ];
  return rules.filter(([broken]) => broken).map(([, rule]) => `${name}: ${rule}`);
}

function isWholeHistogram(samples: ExposedMetric['samples']): boolean {
  const series = new Map<string, { le: number; value: number }[]>();
  const counts = new Map<string, number>();
  for (const { name, labels, value } of samples) {
    const { le, ...rest } = labels;
    const key = JSON.stringify(rest);
    if (name.endsWith('_bucket')) series.set(key, [...(series.get(key) ?? []), { le: le === '+Inf' ? Infinity : Number(le), value }]);
    if (name.endsWith('_count')) counts.set(key, value);
  }
  return [...series].every(([key, buckets]) => {
    const rising = buckets.every(({ le, value }, at) => at === 0 || (le > buckets[at - 1]!.le && value >= buckets[at - 1]!.value));
    return rising && buckets.at(-1)?.le === Infinity && buckets.at(-1)?.value === counts.get(key);
  });
}
