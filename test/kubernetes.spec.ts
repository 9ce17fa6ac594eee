import { access, readFile, writeFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import { type DataClass } from '#contracts/fields.js';
import { FlagsConfig } from '#flags/flags.config.js';
import { GatewayConfig } from '#gateway/gateway.config.js';
import { MetricsConfig } from '#metrics/metrics.config.js';
import { RegistryConfig } from '#registry/registry.config.js';
import { MigrationConfig, readConfig } from '#runtime/config.js';
import { ValidationConfig } from '#validation/validation.config.js';
import { type Container, flows, type Manifest, violations } from './kubernetes-policies.harness.js';
import { hasSchema, modelOf, rendered, unknownFields } from './kubernetes-schemas.harness.js';

const apps: Record<string, DataClass> = {
  registry: RegistryConfig,
  metrics: MetricsConfig,
  validation: ValidationConfig,
  flags: FlagsConfig,
  gateway: GatewayConfig,
};

const overlays: Record<string, Manifest[]> = { dev: rendered('k8s/overlays/dev'), production: rendered('k8s/overlays/production') };
const production = overlays.production!;

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
    for (const manifest of all.filter(hasSchema)) {
      const model = new (await modelOf(manifest))(manifest);
      expect(() => model.validate()).not.toThrow();
      kinds.add(manifest.kind);
    }
    expect(kinds.size).toBeGreaterThan(8);
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

it('no overlay has a field that Kubernetes does not know', () => {
  const known = Object.values(overlays).flatMap((all) => all.filter(hasSchema));
  const misspelt = { ...production.find(({ kind }) => kind === 'Service')!, spec: { prots: [] } } as unknown as Manifest;
  expect(unknownFields([...known, misspelt])).toEqual([expect.stringContaining('prots')]);
}, 60_000);

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

it('the gateway reaches the issuer of tokens where the component for it is taken, and no address inside', () => {
  const [policy, ...others] = rendered('k8s/components/oidc');
  expect(others).toEqual([]);
  expect(flows([policy!])).toEqual(['gateway -> 0.0.0.0/0:443', 'gateway -> emr/issuer:443']);
  expect(violations([...production, policy!])).toEqual([]);
});

it('the runbook tells of every label, secret and folder that an installation needs', async () => {
  const runbook = await readFile('docs/runbook.md', 'utf8');
  const manifests = JSON.stringify([...production, ...rendered('k8s/components/oidc')]);
  const labels = new Set([...manifests.matchAll(/"namespaceSelector":\{"matchLabels":\{"(emr\/[a-z-]+)"/g)].map(([, label]) => label!));
  expect([...labels].filter((label) => !runbook.includes(`\`${label}=true\``))).toEqual([]);
  const secrets = new Set([...manifests.matchAll(/"(?:secretKeyRef":\{[^}]*"name|secretName)":"(emr-[a-z-]+)"/g)].map(([, name]) => name!));
  const named = (secret: string): boolean =>
    runbook.includes(secret) || runbook.includes(secret.replace(/-(owner|registry|metrics|validation|flags)$/, '-$role'));
  expect([...secrets].filter((secret) => !named(secret))).toEqual([]);
  expect([labels.size, secrets.size]).toEqual([7, 9]);
  const paths = new Set(runbook.match(/(?<=[`\s=])(?:deploy|k8s|test)\/[\w./-]+/g));
  for (const path of paths) await access(path);
});

it('NATS keeps its quorum, and streams are on three servers', () => {
  expect(workload(production, 'nats').spec!.replicas).toBe(3);
  for (const app of Object.keys(apps)) expect(environmentOf(containersOf(production, app)[0]!, production).NATS_REPLICAS).toBe('3');
});

it('production is scraped at each app, and nowhere else, under the names that the rules go by', () => {
  const monitor = production.find(({ kind }) => kind === 'ServiceMonitor')! as unknown as {
    spec: {
      jobLabel: string;
      selector: { matchLabels: Record<string, string> };
      endpoints: { port: string; path: string; honorLabels: boolean }[];
    };
  };
  const { jobLabel, selector, endpoints } = monitor.spec;
  const chosen = production.filter(
    ({ kind, metadata }) =>
      kind === 'Service' && Object.entries(selector.matchLabels).every(([name, value]) => metadata.labels?.[name] === value),
  );
  expect(chosen.map(({ metadata }) => metadata.name).sort()).toEqual(Object.keys(apps).sort());
  expect(chosen.map(({ metadata }) => metadata.labels![jobLabel])).toEqual(chosen.map(() => 'emr'));
  expect(endpoints).toMatchObject([{ port: 'http', path: '/metrics', honorLabels: true }]);
  for (const { spec } of chosen) expect(spec!.ports!.map(({ name }) => name)).toContain('http');
});

it('production has the alert rules that compose has', async () => {
  const { groups } = parse(await readFile('deploy/prometheus/rules.yml', 'utf8')) as { groups: object[] };
  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'emr', namespace: 'emr' },
    spec: { groups },
  };
  const file = 'k8s/components/monitoring/prometheus-rule.yaml';
  const text = `# Made of deploy/prometheus/rules.yml: UPDATE_RULES=1 npm test -- test/kubernetes.spec.ts\n${stringify(rule, { lineWidth: 0, singleQuote: true })}`;
  if (process.env.UPDATE_RULES) await writeFile(file, text);
  expect(await readFile(file, 'utf8')).toBe(text);
});

it('production talks to NATS over TLS, by the authority of its certificate, whose key the servers alone have', () => {
  const volumesOf = (name: string) => workload(production, name).spec!.template!.spec.volumes as unknown as Record<string, object>[];
  for (const app of Object.keys(apps)) {
    expect(environmentOf(containersOf(production, app)[0]!, production).NATS_TLS_CA).toBe('/etc/emr/nats/ca.crt');
    const items = [{ key: 'ca.crt', path: 'ca.crt' }];
    expect(volumesOf(app)).toContainEqual({ name: 'nats-authority', secret: { secretName: 'emr-nats-tls', items } });
  }
  expect(volumesOf('nats')).toContainEqual({ name: 'tls', secret: { secretName: 'emr-nats-tls' } });
  const [name] = production.filter(({ kind, metadata }) => kind === 'ConfigMap' && /^nats-(?!users)/.test(metadata.name));
  for (const file of ['tls.conf', 'cluster-tls.conf']) expect(name!.data![file]).toContain('/etc/nats-tls/tls.key');
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
    ['waits for the end of traffic twice', (all) => (containersOf(all, 'gateway')[0]!.lifecycle = { preStop: {} })],
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
