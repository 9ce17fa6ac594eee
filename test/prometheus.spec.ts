import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { freePort } from '#embedded/ports.js';
import { eventually } from './api.harness.js';
import { TestSuite } from './suite.harness.js';

const folder = join(process.cwd(), 'deploy/prometheus');
const tests = join(folder, 'tests');
const isThere = (program: string): boolean => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
const promtool = isThere('promtool');
const prometheus = isThere('prometheus');

/** What they say of our files is known only where they are: test/monitoring.spec.ts holds the same files against our own reading of them everywhere. */
const describeWith = (program: string, present: boolean): ((name: string, tests: () => void) => void) =>
  present ? describe : (name, tests) => describe.skip(`${name} (skipped: no ${program} here)`, tests);

const run = promisify(execFile);

/** Resolves to what promtool complains of; empty when it is content. */
async function complaintsOf(args: string[], input = ''): Promise<string> {
  const child = run('promtool', args, { cwd: folder });
  child.child.stdin!.end(input);
  return child.then(
    ({ stderr }) => stderr,
    ({ stdout, stderr }: { stdout: string; stderr: string }) => `${stdout}${stderr}`,
  );
}

it('has for each alert series on which it fires and series on which it does not', async () => {
  interface RuleTests {
    tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
  }
  const { groups } = parse(await readFile(join(folder, 'rules.yml'), 'utf8')) as { groups: { rules: { alert?: string }[] }[] };
  const alerts = groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? []));
  const texts = await Promise.all((await readdir(tests)).map((file) => readFile(join(tests, file), 'utf8')));
  const cases = texts.flatMap((text) => (parse(text) as RuleTests).tests.flatMap(({ alert_rule_test }) => alert_rule_test));
  const tried = (fires: boolean): string[] => [
    ...new Set(cases.filter(({ exp_alerts }) => exp_alerts.length > 0 === fires).map(({ alertname }) => alertname)),
  ];
  expect(tried(true).sort()).toEqual([...alerts].sort());
  expect(tried(false).sort()).toEqual([...alerts].sort());
});

describeWith('promtool', promtool)('promtool', () => {
  it('finds nothing in the rules', async () => {
    expect(await complaintsOf(['check', 'rules', 'rules.yml'])).toBe('');
  });

  it.each(readdirSync(tests))(
    'sees in %s each alert fire when it should and be quiet when it should',
    async (file) => {
      expect(await complaintsOf(['test', 'rules', join(tests, file)])).toBe('');
    },
    120_000,
  );
});

describeWith('prometheus', promtool && prometheus)('Prometheus and a running suite', () => {
  let suite: TestSuite;
  let directory: string;
  let server: ChildProcess;
  let url: string;
  let targets: string[];

  interface Configuration {
    global: Record<string, string>;
    rule_files: string[];
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  }

  /** As compose has it; only addresses and times are of this test. */
  async function configured(): Promise<string> {
    const configuration = parse(await readFile(join(folder, 'prometheus.yml'), 'utf8')) as Configuration;
    configuration.global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
    configuration.rule_files = [join(folder, 'rules.yml')];
    configuration.scrape_configs[0]!.static_configs[0]!.targets = targets;
    const file = join(directory, 'prometheus.yml');
    await writeFile(file, stringify(configuration));
    return file;
  }

  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${url}/api/v1/${path}`);
    const body = (await response.json()) as { status: string; error?: string; data: T };
    if (body.status !== 'success') throw new Error(`${path}: ${body.error}`);
    return body.data;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'emr-prometheus-'));
    suite = await TestSuite.start();
    const { gateway, services } = suite.suite;
    targets = [gateway.port, ...Object.values(services).map(({ probe_port }) => probe_port)].map((port) => `127.0.0.1:${port}`);
  }, 60_000);
  afterAll(async () => {
    const exit = once(server, 'exit');
    server.kill();
    await exit;
    await suite.close();
    await rm(directory, { recursive: true, force: true });
  });

  const lintAll = async (): Promise<string[]> => {
    const texts = await Promise.all(targets.map(async (target) => (await fetch(`http://${target}/metrics`)).text()));
    return Promise.all(texts.map((text) => complaintsOf(['check', 'metrics'], text)));
  };

  it('finds nothing to say of the metrics of any process, idle or used', async () => {
    expect(await lintAll()).toEqual(targets.map(() => ''));
    const { model_id } = await suite.api.register();
    for (const query of ['timing_ms=5', 'timing_ms=900&success=false'])
      await suite.api.data(`/registry/${model_id}/inference?${query}`, { method: 'POST' });
    await suite.api.data('/registry');
    await suite.api.send('/registry/none_such');
    await eventually(
      () => suite.api.data<{ total_inferences: number }>(`/registry/${model_id}/metrics`),
      ({ total_inferences }) => total_inferences === 2,
    );
    expect(await lintAll()).toEqual(targets.map(() => ''));
  });

  it('scrapes every process, evaluates every rule, and answers every expression of the dashboards', async () => {
    const file = await configured();
    expect(await complaintsOf(['check', 'config', file])).toBe('');
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    server = spawn(
      'prometheus',
      [`--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`, `--web.listen-address=127.0.0.1:${port}`],
      { stdio: 'ignore' },
    );
    interface Targets {
      activeTargets: { scrapeUrl: string; health: string; lastError: string }[];
    }
    // On a busy machine a scrape may run out of time once.
    await eventually(
      () => ask<Targets>('targets?state=active').catch((): Targets => ({ activeTargets: [] })),
      (seen) => seen.activeTargets.length === targets.length && seen.activeTargets.every(({ health }) => health === 'up'),
      20_000,
    );

    interface Groups {
      groups: { rules: { name: string; health: string; lastError?: string; state?: string }[] }[];
    }
    const rules = async () => (await ask<Groups>('rules')).groups.flatMap((group) => group.rules);
    // What was evaluated before the first scrape finds every service missing, and comes to rest after it.
    const isAtRest = (state = 'inactive'): boolean => state === 'inactive';
    const evaluated = await eventually(
      rules,
      (seen) => seen.length > 0 && seen.every(({ health, state }) => health !== 'unknown' && isAtRest(state)),
      20_000,
    );
    expect(evaluated.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => `${name}: ${lastError}`)).toEqual([]);

    const dashboards = join(process.cwd(), 'deploy/grafana');
    const files = (await readdir(dashboards)).filter((name) => name.endsWith('.json'));
    const expressions = await Promise.all(
      files.map(async (name) => {
        const { panels } = JSON.parse(await readFile(join(dashboards, name), 'utf8')) as { panels: { targets: { expr: string }[] }[] };
        return panels.flatMap((panel) => panel.targets.map(({ expr }) => expr));
      }),
    );
    const answered = await Promise.all(
      expressions.flat().map((expression) => {
        const query = expression.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*');
        return ask<{ result: unknown[] }>(`query?query=${encodeURIComponent(query)}`).then(({ result }) => [result.length, query], String);
      }),
    );
    expect(answered.filter((one) => typeof one === 'string')).toEqual([]);
  }, 60_000);
});
