import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { validate } from 'dockerfile-utils';
import { type Metrics } from '#contracts/metrics.js';
import { type Model } from '#contracts/registry.js';
import { eventually } from './api.harness.js';
import { type Launch, Processes, services } from './processes.harness.js';

const run = promisify(execFile);
const user = '65532';
let layout: string;

beforeAll(async () => {
  // Not below the servers' directory, which is closed to other users.
  layout = join(await mkdtemp(join(tmpdir(), 'emr-layout-')), 'app');
  await run(process.execPath, ['scripts/layout.mjs', layout]);
  execFileSync('chmod', ['755', join(layout, '..')]);
});
afterAll(async () => {
  execFileSync('chmod', ['-R', 'u+w', layout]);
  await rm(join(layout, '..'), { recursive: true, force: true });
});

describe('Dockerfile', () => {
  let stages: string[];
  beforeAll(async () => {
    const text = await readFile('Dockerfile', 'utf8');
    expect(validate(text)).toEqual([]);
    stages = text.split(/^(?=FROM )/m).slice(1);
  });

  it('ends in an image that has no npm, no shell and no build, and runs as a numeric user', () => {
    const last = stages.at(-1)!;
    expect(last).toMatch(/^FROM \$\{RUNTIME\}$/m);
    expect(last).not.toMatch(/^\s*RUN\b|npm/m);
    expect(last).toMatch(/^ENV NODE_ENV=production$/m);
    expect(last).toMatch(new RegExp(`^USER ${user}:${user}$`, 'm'));
    for (const instruction of ['ENTRYPOINT', 'CMD']) expect(last).toMatch(new RegExp(`^${instruction} \\[".*"\\]$`, 'm'));
    expect(last).toMatch(/^HEALTHCHECK .*\\\n {2}CMD \["/m);
  });

  it('installs by the lockfile without running what packages bring', () => {
    expect(stages[0]).toMatch(/npm install --no-save --ignore-scripts && node scripts\/installed\.mjs$/m);
  });
});

describe('what is installed', () => {
  const script: string = '../scripts/installed.mjs';
  type Packages = Record<string, { version: string; integrity?: string; optional?: boolean }>;
  const locked: Packages = { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } };
  it.each<[string, Packages, string[]]>([
    ['the same', locked, []],
    [
      'another version',
      { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-b' } },
      ['node_modules/a is 1.0.1, and 1.0.0 in package-lock.json'],
    ],
    [
      'another content',
      { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-b' } },
      ['node_modules/a 1.0.0 is not the one whose hash is in package-lock.json'],
    ],
    [
      'one more',
      { ...locked, 'node_modules/b': { version: '1.0.0' } },
      ['node_modules/b 1.0.0 is installed, and not in package-lock.json'],
    ],
    ['one more, for this platform alone', { ...locked, 'node_modules/b': { version: '1.0.0', optional: true } }, []],
  ])('is held against the lockfile: %s', async (_, installed, sentences) => {
    const { differences } = (await import(script)) as {
      differences: (one: Packages, other: Packages) => string[];
    };
    expect(differences(locked, installed)).toEqual(sentences);
  });

  it('has a bill of materials in CycloneDX with each dependency, its version and hash', async () => {
    const { stdout } = await run(process.execPath, ['scripts/sbom.mjs'], { maxBuffer: 64 * 1024 ** 2 });
    const sbom = JSON.parse(stdout) as {
      bomFormat: string;
      metadata: object;
      components: { name: string; version: string; hashes: object[] }[];
    };
    expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { name: 'enterprise-model-registry' } } });
    const { dependencies } = JSON.parse(await readFile('package.json', 'utf8')) as { dependencies: Record<string, string> };
    const listed = new Set(sbom.components.filter(({ hashes }) => hashes.length > 0).map(({ name, version }) => `${name} ${version}`));
    const shipped = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`);
    expect(shipped.filter((one) => !listed.has(one))).toEqual([]);
  });
});

describe('the layout of the image', () => {
  it('holds the bundles, the two packages that are read beside them, and licences', async () => {
    expect((await readdir(layout)).sort()).toEqual(['LICENSE', 'THIRD-PARTY-LICENSES', 'dist', 'node_modules', 'package.json']);
    expect(await readdir(join(layout, 'node_modules'))).toEqual(['reflect-metadata', 'swagger-ui-dist']);
    expect((await readdir(join(layout, 'dist', 'apps'))).sort()).toEqual([
      'flags',
      'gateway',
      'metrics',
      'parts',
      'registry',
      'validation',
    ]);
    const sizes = execFileSync('du', ['-sk', layout], { encoding: 'utf8' });
    expect(Number.parseInt(sizes, 10)).toBeLessThan(20_000);
  });
});

/** As in the container: everything read-only, another user, no capability, no way to more rights. */
const sealed: Launch = (script) => {
  const alone = 'mount --make-rprivate / && mount -o remount,bind,ro / && cd "$0" && exec "$@"';
  const asUser = [
    'setpriv',
    `--reuid=${user}`,
    `--regid=${user}`,
    '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all',
    '--bounding-set=-all',
  ];
  return ['unshare', '--mount', '--', 'sh', '-c', alone, layout, ...asUser, process.execPath, '--enable-source-maps', ...script.split(' ')];
};

function isPossible(): boolean {
  try {
    execFileSync('unshare', ['--mount', '--', 'setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', 'true'], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

/** Where the system does not let us become another user, what is started is the same, as who we are. */
const [how, launch]: [string, Launch] = isPossible()
  ? [`user ${user} on a read-only file system`, sealed]
  : ['this user (becoming another one and a read-only file system need root)', (script) => [process.execPath, join(layout, script)]];

describe(`the layout started as ${how}`, () => {
  let processes: Processes;
  beforeAll(async () => {
    processes = await Processes.prepare({ NODE_ENV: 'production' }, launch);
    await Promise.all(([...services, 'gateway'] as const).map((app) => processes.start(app)));
  }, 60_000);
  afterAll(() => processes.close());

  (launch === sealed ? it : it.skip)('cannot write anywhere, nor read what root alone may', async () => {
    const [command, ...rest] = sealed('-e');
    const tries = (code: string): Promise<unknown> => run(command, [...rest, code]);
    await expect(tries(`fs.writeFileSync('${layout}/x', '')`)).rejects.toThrow(/EROFS|EACCES/);
    await expect(tries(`fs.writeFileSync('/tmp/x', '')`)).rejects.toThrow('EROFS');
    await expect(tries(`fs.readFileSync('/etc/shadow')`)).rejects.toThrow('EACCES');
    await tries(`if (process.getuid() !== ${user}) process.exit(1)`);
  });

  it('serves the whole of it: a model, an inference of it, the pages for people', async () => {
    const { api } = processes;
    const body = { name: 'Sealed', version: '1.0.0', model_type: 'ensemble', sport: 'MLB' };
    const { model_id } = await api.data<Model>('/registry', { method: 'POST', body });
    await api.data(`/registry/${model_id}/inference?timing_ms=12.5`, { method: 'POST' });
    await api.data('/flags', { method: 'POST', body: { flag_key: 'sealed', variants: { on: true, off: false }, default_variant: 'off' } });
    await eventually(
      () => api.data<Metrics>(`/registry/${model_id}/metrics`),
      ({ total_inferences }) => total_inferences === 1,
    );
    for (const path of ['/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js', '/openapi.json'])
      expect([path, (await fetch(processes.rootOf('gateway') + path)).status]).toEqual([path, 200]);
  });

  it('ends by itself when it is told to', async () => {
    const codes = await Promise.all(([...services, 'gateway'] as const).map((app) => processes.end(app, 'SIGTERM')));
    expect(codes).toEqual([0, 0, 0, 0, 0]);
  });
});
