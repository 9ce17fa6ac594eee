import { readFile } from 'node:fs/promises';
import { type NatsConnection, PermissionViolationError } from '@nats-io/transport-node';
import { keysView } from '#contracts/access.js';
import { factStream } from '#contracts/alerts.js';
import { evaluatorsView } from '#contracts/flag-evaluators.js';
import { createFlag, flagsView, getFlag } from '#contracts/flags.js';
import { inferenceStream } from '#contracts/inference.js';
import { countedNotice, getMetrics, getTick, healthView } from '#contracts/metrics.js';
import { getModel, listModels, modelsView, registerModel } from '#contracts/registry.js';
import { subjectOfRollout, takeRolloutEvent } from '#contracts/rollout-event.js';
import { applyRollout } from '#contracts/rollouts.js';
import { breakersView, poolsView } from '#contracts/selection.js';
import { getGateEvidence, runOverNotice, runQueue, startRun, subjectOfRun } from '#contracts/validation.js';
import { spentSubject } from '#gateway/limits/spent-message.js';
import { natsUsers, type NatsUser, usersFile } from '#embedded/nats-users.js';
import { connectTo, ownNats, type OwnNats } from '#testing/nats.js';

/** All but the operator, who may do everything. */
const users = natsUsers.filter((user) => user !== 'operator');
const services = ['gateway', 'registry', 'metrics', 'validation', 'flags'] as const;

type Allowed = Record<string, readonly NatsUser[]>;

const ownedBy: Record<string, readonly NatsUser[]> = {
  [modelsView.bucket]: ['registry'],
  [keysView.bucket]: ['registry'],
  [flagsView.bucket]: ['flags'],
  [evaluatorsView.bucket]: ['flags'],
  [breakersView.bucket]: ['flags'],
  [poolsView.bucket]: ['flags'],
  [healthView.bucket]: ['metrics'],
  emr_idempotency: ['gateway'],
};
/** Whom each asks, and who may therefore write to its inbox. */
const asks: Partial<Record<NatsUser, readonly NatsUser[]>> = {
  gateway: ['registry', 'metrics', 'validation', 'flags'],
  registry: ['validation'],
  metrics: ['registry'],
  validation: ['registry', 'model_server'],
  flags: ['registry', 'metrics', 'flags'],
  operator: ['registry', 'metrics', 'validation', 'flags', 'model_server'],
};
const followedBy: Record<string, readonly NatsUser[]> = {
  [modelsView.bucket]: ['gateway', 'metrics', 'validation', 'flags'],
  [keysView.bucket]: ['gateway'],
  [flagsView.bucket]: ['gateway'],
  [evaluatorsView.bucket]: ['gateway'],
  [breakersView.bucket]: ['gateway'],
  [poolsView.bucket]: ['gateway'],
  [healthView.bucket]: ['gateway', 'metrics'],
  emr_idempotency: [],
};
const streams = [inferenceStream.name, factStream.name, runQueue.name, ...Object.keys(ownedBy).map((bucket) => `KV_${bucket}`)];

const mayPublish: Allowed = {
  [inferenceStream.subject]: ['gateway', 'publisher'],
  'emr.ev.another': [],
  [registerModel.subject]: ['gateway'],
  'emr.rpc.registry.create_key': ['gateway'],
  [getModel.subject]: ['gateway', 'metrics', 'validation', 'flags'],
  [listModels.subject]: ['gateway', 'validation', 'flags'],
  [applyRollout.subject]: ['flags'],
  [getMetrics.subject]: ['gateway'],
  [getTick.subject]: ['flags'],
  [takeRolloutEvent.subject]: ['flags'],
  [startRun.subject]: ['gateway'],
  [getGateEvidence.subject]: ['registry'],
  [createFlag.subject]: ['gateway'],
  [getFlag.subject]: ['gateway', 'flags'],
  [countedNotice]: ['metrics'],
  [runOverNotice]: ['validation'],
  [spentSubject]: ['gateway'],
  [factStream.ofAlert('firing')]: ['metrics'],
  [subjectOfRun('finished')]: ['validation'],
  [subjectOfRollout('completed')]: ['flags'],
  'emr.evt.another': [],
  [runQueue.subject]: ['validation'],
  'emr.jobs.another': [],
  'models.props': ['validation'],
  'somebody.elses': [],
  $SYS: [],
  '$SYS.REQ.SERVER.PING': [],
  '$SRV.PING': [],
  ...Object.fromEntries(natsUsers.map((user) => [`_INBOX.${user}.answer`, asks[user] ?? []])),
  ...Object.fromEntries(Object.entries(ownedBy).map(([bucket, owners]) => [`$KV.${bucket}.key`, owners])),
  '$JS.API.INFO': ['gateway', 'registry', 'metrics', 'validation', 'flags', 'subscriber'],
  '$JS.API.STREAM.NAMES': [],
  '$JS.API.STREAM.LIST': [],
  '$JS.API.ACCOUNT.PURGE.EMR': [],
  '$JS.API.META.LEADER.STEPDOWN': [],
  ...Object.fromEntries(
    streams.flatMap((stream) =>
      ['UPDATE', 'DELETE', 'PURGE', 'MSG.DELETE', 'SNAPSHOT', 'RESTORE', 'PEER.REMOVE'].map((verb) => [
        `$JS.API.STREAM.${verb}.${stream}`,
        [],
      ]),
    ),
  ),
  ...Object.fromEntries(
    Object.entries(ownedBy).flatMap(([bucket, owners]) =>
      ['STREAM.CREATE.$', 'STREAM.MSG.GET.$', `DIRECT.GET.$.$KV.${bucket}.key`].map((request) => [
        `$JS.API.${request.replace('$', `KV_${bucket}`)}`,
        owners,
      ]),
    ),
  ),
  ...Object.fromEntries(
    Object.entries(followedBy).flatMap(([bucket, followers]) =>
      [`CREATE.$.oc_1.$KV.${bucket}.>`, 'DELETE.$.oc_1', 'INFO.$.oc_1'].map((request) => [
        `$JS.API.CONSUMER.${request.replace('$', `KV_${bucket}`)}`,
        followers,
      ]),
    ),
  ),
  ...Object.fromEntries(
    Object.entries(ownedBy).map(([bucket, owners]) => [
      `$JS.API.STREAM.INFO.KV_${bucket}`,
      users.filter((user) => owners.includes(user) || followedBy[bucket]?.includes(user)),
    ]),
  ),
  '$JS.API.STREAM.CREATE.EMR_EVENTS': ['metrics'],
  '$JS.API.STREAM.INFO.EMR_EVENTS': ['gateway', 'metrics'],
  '$JS.API.STREAM.MSG.GET.EMR_EVENTS': ['metrics'],
  '$JS.API.DIRECT.GET.EMR_EVENTS': [],
  '$JS.API.CONSUMER.CREATE.EMR_EVENTS.metrics': ['metrics'],
  '$JS.API.CONSUMER.CREATE.EMR_EVENTS.another': [],
  '$JS.API.CONSUMER.INFO.EMR_EVENTS.metrics': ['metrics'],
  '$JS.API.CONSUMER.DELETE.EMR_EVENTS.metrics': ['metrics'],
  '$JS.API.CONSUMER.MSG.NEXT.EMR_EVENTS.metrics': ['metrics'],
  '$JS.ACK.EMR_EVENTS.metrics.1.1.1.1.1': ['metrics'],
  '$JS.API.STREAM.CREATE.EMR_FACTS': ['metrics', 'validation', 'flags'],
  '$JS.API.STREAM.INFO.EMR_FACTS': ['metrics', 'validation', 'flags', 'subscriber'],
  '$JS.API.CONSUMER.CREATE.EMR_FACTS.mine': ['subscriber'],
  '$JS.API.CONSUMER.MSG.NEXT.EMR_FACTS.mine': ['subscriber'],
  '$JS.ACK.EMR_FACTS.mine.1.1.1.1.1': ['subscriber'],
  '$JS.API.STREAM.CREATE.EMR_JOBS': ['validation'],
  '$JS.API.CONSUMER.CREATE.EMR_JOBS.validation.emr.jobs.validation.run': ['validation'],
  '$JS.API.CONSUMER.CREATE.EMR_JOBS.another': [],
  '$JS.API.CONSUMER.DELETE.EMR_JOBS.validation': [],
  '$JS.API.CONSUMER.MSG.NEXT.EMR_JOBS.validation': ['validation'],
  '$JS.API.STREAM.CREATE.ANOTHER': [],
};

const mayHear: Allowed = {
  '>': [],
  'emr.>': [],
  'emr.rpc.>': [],
  'emr.ev.>': [],
  'emr.evt.>': [],
  'emr.jobs.>': [],
  '_INBOX.>': [],
  '$KV.>': [],
  '$JS.>': [],
  '$JS.API.>': [],
  '$SYS.>': [],
  [countedNotice]: ['gateway', 'flags'],
  [spentSubject]: ['gateway'],
  [runOverNotice]: ['validation'],
  'models.>': ['model_server'],
  ...Object.fromEntries(services.map((service) => [`emr.rpc.${service}.any`, service === 'gateway' ? [] : [service]])),
  ...Object.fromEntries(Object.keys(ownedBy).map((bucket) => [`$KV.${bucket}.>`, []])),
  ...Object.fromEntries(users.map((user) => [`_INBOX.${user}.>`, [user]])),
};

let nats: OwnNats;
const connections = {} as Record<NatsUser, NatsConnection>;
const refused = new Set<string>();

/** Keeps what the server refuses this user. */
async function watch(user: NatsUser, connection: NatsConnection): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'error' && status.error instanceof PermissionViolationError)
      refused.add(`${user} ${status.error.operation} ${status.error.subject}`);
  }
}

beforeAll(async () => {
  nats = await ownNats();
  for (const user of natsUsers) {
    connections[user] = await connectTo(nats.urls[user]);
    void watch(user, connections[user]);
  }
});
afterAll(async () => {
  for (const connection of Object.values(connections)) await connection.close();
  // What they were refused here was wanted by the test alone.
  await expect(nats.stop()).rejects.toThrow('NATS refused');
});

/** Who was refused none of it, for each of the subjects. */
async function allowed(
  operation: 'publish' | 'subscription',
  subjects: string[],
  attempt: (on: NatsConnection, subject: string) => void,
): Promise<Allowed> {
  for (const user of users) {
    for (const subject of subjects) attempt(connections[user], subject);
    // What the server has against it comes before the answer to this.
    await connections[user].flush();
  }
  // The last ones are still on their way through `watch`.
  await new Promise(setImmediate);
  return Object.fromEntries(subjects.map((subject) => [subject, users.filter((user) => !refused.has(`${user} ${operation} ${subject}`))]));
}

it('lets each user publish on exactly the subjects that it needs', async () => {
  expect(await allowed('publish', Object.keys(mayPublish), (on, subject) => on.publish(subject))).toEqual(mayPublish);
});

it('lets each user hear exactly the subjects that it needs', async () => {
  const hear = (on: NatsConnection, subject: string): void => void on.subscribe(subject, { callback: () => undefined });
  expect(await allowed('subscription', Object.keys(mayHear), hear)).toEqual(mayHear);
});

it('keeps no list of the messages that a user was given, which would cost more with every one of them', async () => {
  expect(await readFile(usersFile, 'utf8')).not.toMatch(/^\s*allow_responses/m);
});

it('has the users that the servers and services are configured for, each with a password of its own', async () => {
  const text = await readFile(usersFile, 'utf8');
  expect([...text.matchAll(/user: (\w+)\n\s+password: \$(\w+)/g)].map(([, user, variable]) => [user, variable])).toEqual(
    natsUsers.map((user) => [user, `NATS_PASSWORD_${user.toUpperCase()}`]),
  );
  expect(new Set(Object.values(nats.urls).map((url) => new URL(url).password)).size).toBe(natsUsers.length);
});
