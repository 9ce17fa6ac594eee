import { type Scope } from '#contracts/access.js';
import { type Page } from '#contracts/page.js';
import { listModels, type Model, type ModelFilter, modelOrders, modelStatuses, modelTypes } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { system } from '#runtime/caller.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { Telemetry } from '#runtime/telemetry.js';
import { fc } from '#testing/property.js';
import { type Api, type ReachableSuite } from './api.harness.js';
import { storySuite } from './story-suite.harness.js';

const sport = 'LISTED';
const names = ['MLB Größe', 'MLB größe', 'a', 'A', 'Σίσυφος', 'İstanbul', '\u{1F600} smile', '\uFFFD odd', '100%_sure', 'back\\slash'];
const narrowedTo = names.filter((_, index) => index % 2 === 0);
const everything: Scope = { sports: null, names: null };

let suite: ReachableSuite;
let nats: Nats;
let bus: Bus;
let narrowed: Api;

beforeAll(async () => {
  suite = await storySuite();
  nats = await Nats.connect('operator', { NATS_URL: suite.nats_url, NATS_REPLICAS: 1 }, Logger.create('test', 'silent'));
  bus = new Bus(nats, new Telemetry('test'));
  narrowed = await suite.withRole('viewer', { sports: [sport], names: narrowedTo });
  const registered = await Promise.all(
    names.map((name, index) =>
      suite.api.register({ name, sport, model_type: modelTypes[index % 3], description: index % 4 ? '' : `Über ${name}` }),
    ),
  );
  await Promise.all(registered.slice(0, 4).map(({ model_id }) => suite.api.move(model_id, 'canary')));
});
afterAll(() => nats.close());

const fromRegistry = (filter: ModelFilter, scope: Scope): Promise<Page<Model>> => {
  const caller = system('test');
  return bus.ask(listModels, filter, { ...caller, actor: { ...caller.actor, scope } });
};

async function fromGateway(api: Api, filter: ModelFilter): Promise<Page<Model>> {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]));
  const { data, page } = await api.envelope<Model[]>(`/registry?${query.toString()}`);
  return { items: data, next_cursor: page!.next_cursor };
}

const part = fc.constantFrom('größe', 'GRÖSSE', 'mlb', 'σ', 'Σ', 'i', 'über', '%', '_', '\\', '\u{1F600}', 'nobody');
const filters = fc.record(
  {
    status: fc.constantFrom(...modelStatuses),
    model_type: fc.constantFrom(...modelTypes),
    q: part,
    order_by: fc.constantFrom(...modelOrders),
    limit: fc.integer({ min: 1, max: 6 }),
  },
  { requiredKeys: [] },
);

describe('a list of models', () => {
  it('is the same from the gateway’s projection and from the registry, page by page, to the cursor', async () => {
    await fc.assert(
      fc.asyncProperty(filters, fc.boolean(), async (chosen, isNarrowed) => {
        const [api, scope] = isNarrowed ? [narrowed, { sports: [sport], names: narrowedTo }] : [suite.api, everything];
        let cursor: string | undefined;
        do {
          const filter = { ...chosen, sport, cursor };
          const [ours, theirs] = await Promise.all([fromGateway(api, filter), fromRegistry(filter, scope)]);
          expect(ours).toEqual(theirs);
          cursor = ours.next_cursor ?? undefined;
        } while (cursor !== undefined);
      }),
      { numRuns: 60 },
    );
  });

  it.each(['nonsense', Buffer.from('["a"]').toString('base64url'), Buffer.from('["not a time","a"]').toString('base64url')])(
    'refuses the cursor %s',
    async (cursor) => {
      expect(await suite.api.failure(`/registry?cursor=${cursor}`)).toMatchObject({
        status: 400,
        code: 'INVALID_INPUT',
        details: { fields: [{ field: 'cursor', value: cursor }] },
      });
    },
  );
});
