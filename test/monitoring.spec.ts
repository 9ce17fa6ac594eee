import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { eventually } from './api.harness.js';
import { type ExposedMetric, readExposition } from './exposition.harness.js';
import { readPromql } from './promql.harness.js';
import { TestSuite } from './suite.harness.js';

interface Rule {
  record?: string;
  alert?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

interface Dashboard {
  uid: string;
  title: string;
  templating: { list: { query: string | { query: string } }[] };
  panels: { id: number; title: string; targets: { expr: string }[]; gridPos: { x: number; y: number; w: number; h: number } }[];
}

const root = process.cwd();
const dashboardsDir = join(root, 'deploy/grafana');

let suite: TestSuite;
let rules: Rule[];
let dashboards: Dashboard[];
/** Labels by the name of a series, as Prometheus has it after the scrape. */
const series = new Map<string, Set<string>>();

const given = ['job', 'instance'];

function learn({ name, type, labels, samples }: ExposedMetric): void {
  const names = type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
  for (const one of new Set([...names, ...samples.map((sample) => sample.name)]))
    series.set(one, new Set([...(series.get(one) ?? given), ...[...labels].filter((label) => label !== 'le' || one.endsWith('_bucket'))]));
}

beforeAll(async () => {
  rules = (parse(await readFile(join(root, 'deploy/prometheus/rules.yml'), 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
    (group) => group.rules,
  );
  const files = (await readdir(dashboardsDir)).filter((file) => file.endsWith('.json'));
  dashboards = await Promise.all(files.map(async (file) => JSON.parse(await readFile(join(dashboardsDir, file), 'utf8')) as Dashboard));
  suite = await TestSuite.start();
  await suite.api.register();
  const { gateway, services } = suite.suite;
  const ports = [gateway.port, ...Object.values(services).map(({ probe_port }) => probe_port)];
  const scrape = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  await eventually(
    () => scrape(services.registry.probe_port),
    (text) => text.includes('emr_rpc_answered_duration_seconds_count'),
  );
  for (const port of ports) for (const metric of readExposition(await scrape(port)).values()) learn(metric);
  series.set('up', new Set(given));
  series.set('emr_measurement_failures_total', new Set([...given, 'service', 'metric']));
  for (const { record } of rules) if (record) series.set(record, new Set());
}, 60_000);
afterAll(() => suite.close());

/** What is wrong with an expression, in words. */
function wrongIn(expression: string): string[] {
  const { selectors, grouping } = readPromql(expression.replaceAll('$__rate_interval', '1m'));
  const wrong = selectors.flatMap(({ name, labels }) => {
    const known = series.get(name);
    if (!known) return [`${name} is no metric`];
    return labels.filter((label) => !known.has(label)).map((label) => `${name} has no label ${label}`);
  });
  const all = new Set(selectors.flatMap(({ name }) => [...(series.get(name) ?? [])]));
  if (selectors.length === 0) wrong.push('no metric');
  return [...wrong, ...grouping.filter((label) => !all.has(label)).map((label) => `nothing in it has the label ${label}`)];
}

it('reads what an expression refers to', () => {
  expect(
    readPromql(
      'histogram_quantile(0.9, sum by (le, route) (rate(a_bucket{service="x",status=~"5..|{}"}[5m]))) > 2 and on (route) b:c offset 5m',
    ),
  ).toEqual({
    selectors: [
      { name: 'a_bucket', labels: ['service', 'status'] },
      { name: 'b:c', labels: [] },
    ],
    grouping: ['le', 'route', 'route'],
  });
  expect(() => readPromql('sum(a{b="c"')).toThrow('missing');
  expect(() => readPromql('sum(rate(a[1m])')).toThrow('Brackets');
});

it('finds an expression that nothing answers to', () => {
  expect(wrongIn('sum by (colour) (rate(emr_http_request_duration_seconds_count{taste="x"}[1m])) + emr_nonsense')).toEqual([
    'emr_http_request_duration_seconds_count has no label taste',
    'emr_nonsense is no metric',
    'nothing in it has the label colour',
  ]);
});

it('has rules that refer to what is there', () => {
  expect(rules.flatMap(({ alert, record, expr }) => wrongIn(expr).map((wrong) => `${alert ?? record}: ${wrong}`))).toEqual([]);
  expect(rules.length).toBeGreaterThan(40);
});

it('has dashboards that refer to what is there', () => {
  const wrong = dashboards.flatMap(({ title, panels }) =>
    panels.flatMap((panel) => panel.targets.flatMap(({ expr }) => wrongIn(expr).map((why) => `${title}, ${panel.title}: ${why}`))),
  );
  expect(wrong).toEqual([]);
  const variables = dashboards
    .flatMap(({ templating }) => templating.list)
    .flatMap(({ query }) => (typeof query === 'string' ? [] : [/^label_values\((.+), (\w+)\)$/.exec(query.query)!]));
  for (const [, selector, label] of variables) {
    expect(wrongIn(selector!)).toEqual([]);
    expect(series.get(/^\w+/.exec(selector!)![0])).toContain(label);
  }
});

it('has dashboards whose panels do not overlap, each under its own name', () => {
  for (const { panels } of dashboards) {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  }
  expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(dashboards.length);
});

it('says of every alert how bad it is, for how long it must be so, what it is and what to do', async () => {
  const runbook = await readFile(join(root, 'docs/runbook.md'), 'utf8');
  const entries = new Map(
    runbook
      .split(/^### /m)
      .slice(1)
      .map((entry): [string, string] => [entry.split('\n', 1)[0]!.trim(), entry]),
  );
  const alerts = rules.filter(({ alert }) => alert !== undefined);
  for (const { alert, labels, annotations, for: duration } of alerts) {
    expect({ alert, severity: labels?.severity }).toEqual({ alert, severity: expect.stringMatching(/^(critical|warning)$/) as string });
    expect({ alert, duration }).toEqual({ alert, duration: expect.stringMatching(/^\d+[mh]$/) as string });
    expect({ alert, ...annotations }).toMatchObject({
      alert,
      summary: expect.stringMatching(/\w/) as string,
      description: expect.stringMatching(/\w/) as string,
      runbook_url: `docs/runbook.md#${alert!.toLowerCase()}`,
    });
    const entry = entries.get(alert!) ?? '';
    for (const part of ['**Means**', '**Look at**', '**Do**']) expect([alert, part, entry.includes(part)]).toEqual([alert, part, true]);
  }
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  // Nothing in it that is no alert any more.
  expect([...entries.keys()].filter((name) => name.startsWith('Emr') && !alerts.some(({ alert }) => alert === name))).toEqual([]);
});

it('tells of every metric in the documentation, and of none besides', async () => {
  const page = await readFile(join(root, 'docs/telemetry.md'), 'utf8');
  const told = new Set([...page.matchAll(/^\| `(emr_\w+)`/gm)].map(([, name]) => name!));
  const own = new Set(
    [...series.keys()]
      .map((name) => name.replace(/_(bucket|sum|count)$/, ''))
      .filter((name) => /^emr_(?!process_|nodejs_|http_slow)/.test(name) && !name.includes(':')),
  );
  expect([...told].sort()).toEqual([...own].sort());
});

it('names routes in the runbook that there are', async () => {
  const runbook = await readFile(join(root, 'docs/runbook.md'), 'utf8');
  const { paths } = JSON.parse(await readFile(join(root, 'docs/openapi.json'), 'utf8')) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const named = [...runbook.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/api\/[^`?]+)/g)].map(([, method, path]) => ({
    method: method!.toLowerCase(),
    path: path!,
  }));
  expect(named.filter(({ method, path }) => !paths[path]?.[method])).toEqual([]);
  expect(named.length).toBeGreaterThan(5);
});
