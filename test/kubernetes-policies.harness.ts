/** What the policies look at of a Kubernetes object. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  spec?: Spec;
  automountServiceAccountToken?: boolean;
  data?: Record<string, string>;
}

interface Spec {
  replicas?: number;
  template?: { metadata: { labels: Record<string, string> }; spec: PodSpec };
  strategy?: { rollingUpdate?: { maxUnavailable?: number } };
  selector?: { matchLabels?: Record<string, string> } & Record<string, unknown>;
  podSelector?: { matchLabels?: Record<string, string> };
  policyTypes?: string[];
  ingress?: Rule[];
  egress?: Rule[];
  scaleTargetRef?: { name: string };
  minReplicas?: number;
  ports?: { name: string; port: number; targetPort: string }[];
  type?: string;
}

interface Rule {
  from?: Peer[];
  to?: Peer[];
  ports?: { protocol: string; port: number | string; endPort?: number }[];
}

interface Peer {
  podSelector?: { matchLabels: Record<string, string> };
  namespaceSelector?: { matchLabels: Record<string, string> };
  ipBlock?: { cidr: string; except?: string[] };
}

export interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  terminationGracePeriodSeconds?: number;
  securityContext?: { runAsNonRoot?: boolean; runAsUser?: number; seccompProfile?: { type: string } };
  topologySpreadConstraints?: { topologyKey: string; labelSelector: { matchLabels: Record<string, string> } }[];
  initContainers?: Container[];
  containers: Container[];
  volumes?: Record<string, unknown>[];
}

export interface Container {
  name: string;
  image: string;
  args?: string[];
  env?: {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef?: { name: string; key: string }; configMapKeyRef?: { name: string; key: string } };
  }[];
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  ports?: { name: string; containerPort: number; hostPort?: number }[];
  securityContext?: {
    allowPrivilegeEscalation?: boolean;
    readOnlyRootFilesystem?: boolean;
    privileged?: boolean;
    capabilities?: { drop?: string[]; add?: string[] };
  };
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  lifecycle?: { preStop?: object };
}

interface Probe {
  httpGet?: { path: string; port: string };
  exec?: object;
  tcpSocket?: object;
}

/** Volumes that Pod Security "restricted" allows, beside `name`. */
const volumeKinds = new Set(['configMap', 'secret', 'emptyDir', 'projected', 'persistentVolumeClaim']);
const secretNames = /PASSWORD|PEPPER|SECRET|TOKEN|ADMIN_KEY/;

const workloads = (all: Manifest[]): Manifest[] => all.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind));

function* ofPod(spec: PodSpec, long: boolean): Generator<string> {
  if (spec.hostNetwork || spec.hostPID || spec.hostIPC) yield 'shares something of its node';
  if (spec.automountServiceAccountToken !== false) yield 'is given a token of the cluster';
  if (spec.enableServiceLinks !== false) yield 'is given an environment that services of others change';
  const { runAsNonRoot, runAsUser = 0, seccompProfile } = spec.securityContext ?? {};
  if (!runAsNonRoot || runAsUser === 0) yield 'may run as root';
  if (seccompProfile?.type !== 'RuntimeDefault') yield 'may make any system call';
  for (const volume of spec.volumes ?? [])
    for (const key of Object.keys(volume)) if (key !== 'name' && !volumeKinds.has(key)) yield `mounts a ${key}`;
  if (long && !spec.topologySpreadConstraints?.some(({ topologyKey }) => topologyKey === 'kubernetes.io/hostname'))
    yield 'may be on one node as a whole';
}

function* ofContainer(container: Container, long: boolean): Generator<string> {
  const { allowPrivilegeEscalation, readOnlyRootFilesystem, privileged, capabilities } = container.securityContext ?? {};
  if (privileged || allowPrivilegeEscalation !== false) yield 'may gain rights';
  if (!readOnlyRootFilesystem) yield 'may write to its image';
  if (!capabilities?.drop?.includes('ALL') || capabilities.add?.length) yield 'has capabilities';
  if (container.ports?.some(({ hostPort }) => hostPort)) yield 'listens on its node';
  for (const name of ['cpu', 'memory'])
    for (const kind of ['requests', 'limits'] as const) if (!container.resources?.[kind]?.[name]) yield `has no ${kind} of ${name}`;
  const [, tag = ''] = /[:@]([^/]+)$/.exec(container.image) ?? [];
  if (tag === '' || tag === 'latest') yield `runs whatever ${container.image} is`;
  for (const { name, value } of container.env ?? []) if (value && secretNames.test(name)) yield `has ${name} in the clear`;
  if (container.envFrom?.some(({ secretRef }) => secretRef)) yield 'is given a whole secret';
  if (!long) return;
  for (const kind of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) if (!container[kind]) yield `has no ${kind}`;
  // What others do wrong must not get it restarted.
  if (container.livenessProbe?.httpGet?.path === '/readyz') yield 'is killed for what it waits for';
  const drains = Number(container.env?.find(({ name }) => name === 'DRAIN_SECONDS')?.value ?? 0) > 0;
  if (!container.lifecycle?.preStop && !drains) yield 'is ended while traffic still comes';
  if (container.lifecycle?.preStop && drains) yield 'waits for the end of traffic twice';
}

function* ofWorkload({ kind, metadata: { name }, spec }: Manifest, all: Manifest[]): Generator<string> {
  const pod = spec!.template!.spec;
  const long = kind !== 'Job';
  yield* ofPod(pod, long);
  for (const container of [...(pod.initContainers ?? []), ...pod.containers])
    for (const wrong of ofContainer(container, long)) yield `${container.name} ${wrong}`;
  const account = all.find((one) => one.kind === 'ServiceAccount' && one.metadata.name === pod.serviceAccountName);
  if (pod.serviceAccountName !== name || !account) yield 'has no service account of its own';
  else if (account.automountServiceAccountToken !== false) yield 'has an account with a token';
  if (kind === 'Deployment' && spec!.strategy?.rollingUpdate?.maxUnavailable !== 0) yield 'has a pod less during an update';
  if (kind === 'Deployment' && (pod.terminationGracePeriodSeconds ?? 30) < 35) yield 'is killed before it has drained';
}

/** Whether any policy, or the account of a workload, selects these labels. */
const selects = (selector: Record<string, string> | undefined, labels: Record<string, string>): boolean =>
  Object.entries(selector ?? {}).every(([name, value]) => labels[name] === value);

function* ofReplicas(all: Manifest[]): Generator<string> {
  for (const {
    kind,
    metadata: { name },
    spec,
  } of workloads(all).filter((one) => one.kind !== 'Job')) {
    const scaler = all.find((one) => one.kind === 'HorizontalPodAutoscaler' && one.spec!.scaleTargetRef!.name === name);
    if ((scaler?.spec!.minReplicas ?? spec!.replicas ?? 1) < 2) yield `${kind} ${name} has one replica`;
    if (scaler && spec!.replicas !== undefined) yield `${kind} ${name} is set back by each deployment`;
    const budget = all.some(
      (one) => one.kind === 'PodDisruptionBudget' && selects(one.spec!.selector?.matchLabels, spec!.template!.metadata.labels),
    );
    if (!budget) yield `${kind} ${name} may be drained as a whole`;
  }
}

function* ofNetwork(all: Manifest[]): Generator<string> {
  const policies = all.filter(({ kind }) => kind === 'NetworkPolicy');
  const denies = policies.some(
    ({ spec }) => !spec!.podSelector?.matchLabels && !spec!.ingress && !spec!.egress && spec!.policyTypes?.length === 2,
  );
  if (!denies) yield 'NetworkPolicy: what is not said is allowed';
  for (const {
    metadata: { name },
    spec,
  } of policies)
    for (const rule of [...(spec!.ingress ?? []), ...(spec!.egress ?? [])]) {
      const peers = rule.from ?? rule.to ?? [];
      if (peers.length === 0) yield `NetworkPolicy ${name} names no peer`;
      if (!rule.ports?.length) yield `NetworkPolicy ${name} names no port`;
      for (const { ipBlock } of peers)
        if (ipBlock?.cidr === '0.0.0.0/0' && !ipBlock.except?.includes('169.254.0.0/16'))
          yield `NetworkPolicy ${name} reaches the metadata of the cloud`;
    }
  for (const {
    kind,
    metadata: { name },
    spec,
  } of all)
    if (kind === 'Service' && spec!.type !== undefined && spec!.type !== 'ClusterIP') yield `Service ${name} is open to the outside`;
}

/** Every way in which these objects break our rules, as sentences. `small`: one replica of each is wanted. */
export function violations(all: Manifest[], { small = false } = {}): string[] {
  const found: string[] = [];
  for (const workload of workloads(all))
    for (const wrong of ofWorkload(workload, all)) found.push(`${workload.kind} ${workload.metadata.name}: ${wrong}`);
  const namespace = all.find(({ kind }) => kind === 'Namespace');
  for (const level of ['enforce', 'warn'])
    if (namespace?.metadata.labels?.[`pod-security.kubernetes.io/${level}`] !== 'restricted')
      found.push(`Namespace: does not ${level} restricted pods`);
  for (const { kind, metadata } of all)
    if (kind !== 'Namespace' && metadata.namespace !== namespace?.metadata.name)
      found.push(`${kind} ${metadata.name}: is in another namespace`);
  found.push(...ofNetwork(all), ...(small ? [] : ofReplicas(all)));
  return found;
}

export type Flow = `${string} -> ${string}:${number | string}`;

const peerName = ({ podSelector, namespaceSelector, ipBlock }: Peer): string => {
  const labels = { ...namespaceSelector?.matchLabels, ...podSelector?.matchLabels };
  return (
    ipBlock?.cidr ??
    Object.entries(labels)
      .map(([name, value]) => (value === 'true' ? name : value))
      .join('/')
  );
};

/** What the policies allow, for people to read: who may be reached by whom at which port. */
export function flows(all: Manifest[]): Flow[] {
  const found = new Set<Flow>();
  for (const { spec } of all.filter(({ kind }) => kind === 'NetworkPolicy')) {
    const self = peerName({ podSelector: { matchLabels: spec!.podSelector?.matchLabels ?? { all: 'true' } } });
    for (const { from = [], ports = [] } of spec!.ingress ?? [])
      for (const peer of from) for (const { port } of ports) found.add(`${peerName(peer)} -> ${self}:${port}`);
    for (const { to = [], ports = [] } of spec!.egress ?? [])
      for (const peer of to)
        for (const { port, endPort } of ports) found.add(`${self} -> ${peerName(peer)}:${endPort ? `${port}-${endPort}` : port}`);
  }
  return [...found].sort();
}
