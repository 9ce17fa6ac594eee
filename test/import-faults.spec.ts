import pg from 'pg';
import { type Evaluators } from '#contracts/flag-evaluators.js';
import { type ImportReport } from '#contracts/flag-import.js';
import { type Flag } from '#contracts/flags.js';
import { type Api, eventually } from './api.harness.js';
import { Processes } from './processes.harness.js';

let processes: Processes;
let api: Api;
let database: pg.Client;

beforeAll(async () => {
  processes = await Processes.prepare();
  database = new pg.Client({ connectionString: processes.database.url });
  await database.connect();
  await Promise.all((['registry', 'metrics', 'flags', 'gateway'] as const).map((app) => processes.start(app)));
  api = processes.api;
}, 60_000);
afterAll(async () => {
  await database.end();
  await processes.close();
});

const letters = ['a', 'b', 'c', 'd', 'e'] as const;
const variants = { on: true, off: false };
const flagdFlag = { state: 'ENABLED', variants, defaultVariant: 'off', targeting: { if: [{ $ref: 'staff' }, 'on', null] } };

const documents: [format: string, keys: string[], evaluators: string[], document: object][] = [
  [
    'flagd',
    letters.map((letter) => `flagd_${letter}`),
    ['staff'],
    {
      flags: Object.fromEntries(letters.map((letter) => [`flagd_${letter}`, flagdFlag])),
      $evaluators: { staff: { '==': [{ var: 'plan' }, 'staff'] } },
    },
  ],
  [
    'unleash',
    letters.map((letter) => `unleash_${letter}`),
    [],
    { version: 2, features: letters.map((letter) => ({ name: `unleash_${letter}`, enabled: true, strategies: [{ name: 'default' }] })) },
  ],
  [
    'growthbook',
    letters.map((letter) => `growthbook_${letter}`),
    [],
    { features: Object.fromEntries(letters.map((letter) => [`growthbook_${letter}`, { defaultValue: false }])) },
  ],
];

/** Holds up whoever adds this flag, as long as the transaction of the connection lasts. */
const holdUp = (flag_key: string): Promise<unknown> =>
  database.query(
    `INSERT INTO flags.flags SELECT (jsonb_populate_record(NULL::flags.flags, jsonb_build_object(
       'flag_key', $1::text, 'description', '', 'state', 'ENABLED', 'variants', '{}'::jsonb, 'metadata', '{}'::jsonb,
       'variant_models', '{}'::jsonb, 'tags', '[]'::jsonb, 'created_at', now(), 'updated_at', now(), 'created_by', 'a test', 'revision', 1))).*`,
    [flag_key],
  );

const heldUp = (): Promise<pg.QueryResult> =>
  database.query(`SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`);

it.each(documents)(
  'an import of %s in the middle of which flags is killed leaves nothing, and all of it when it is sent again',
  async (...given) => {
    const [format, keys, evaluators, document] = given;
    const ask = { method: 'POST', body: { format, document } };
    const outcomes = async (): Promise<string[]> => {
      const report = await api.data<ImportReport>('/flags/import', ask);
      return [...report.flags, ...report.evaluators].map(({ outcome }) => outcome);
    };
    const present = async (): Promise<string[]> => {
      const [flags, shared] = await Promise.all([api.data<Flag[]>('/flags'), api.data<Evaluators>('/flag-evaluators')]);
      const all = [...flags.map(({ flag_key }) => flag_key), ...shared.evaluators.map(({ name }) => name)];
      return all.filter((key) => keys.includes(key) || evaluators.includes(key));
    };
    const audited = (): Promise<string[][]> =>
      Promise.all(
        keys.map(async (key) => {
          const { rows } = await database.query<{ action: string }>('SELECT action FROM flags.audit WHERE subject_id = $1', [key]);
          return rows.map(({ action }) => action);
        }),
      );

    await database.query('BEGIN');
    await holdUp(keys[2]!);
    // It never answers: whoever asked hears so when the time for that is over.
    void api.send('/flags/import', ask).catch(() => undefined);
    await eventually(heldUp, ({ rowCount }) => rowCount === 1);
    await processes.end('flags', 'SIGKILL');
    await database.query('ROLLBACK');
    await processes.start('flags');
    expect(await present()).toEqual([]);
    expect(await audited()).toEqual(keys.map(() => []));

    expect(new Set(await outcomes())).toEqual(new Set(['created']));
    expect(new Set(await outcomes())).toEqual(new Set(['unchanged']));
    expect(await audited()).toEqual(keys.map(() => ['flag.created']));
    expect(await eventually(present, ({ length }) => length === keys.length + evaluators.length)).toEqual([...keys, ...evaluators]);
  },
  60_000,
);
