import { openDatabase } from '#runtime/database.module.js';
import { createDatabase } from '#testing/database.js';
import { Flags1700000000001 } from './flags.migration.js';
import { flagsSchema } from './flags.module.js';

it('the migration of flags makes a split of a rollout, and binds every variant to the flag’s model', async () => {
  const { url, drop } = await createDatabase();
  const config = { DATABASE_URL: url, DATABASE_POOL_SIZE: 1 };
  const before = await openDatabase({ ...flagsSchema, entities: [], migrations: [Flags1700000000001] }, config);
  const insert = (key: string, rest: string): Promise<unknown> =>
    before.query(
      `INSERT INTO flags.flags (flag_key, description, state, variants, default_variant, created_at, updated_at, created_by, revision,
         rollout_variant, rollout_percentage, model_id)
       VALUES ('${key}', '', 'ENABLED', '{"on": true, "off": false}', 'off', now(), now(), 'ml_team', 3, ${rest})`,
    );
  await insert('part', `'on', 12.5, 'mlb_model_1'`);
  await insert('all', `'off', 100, NULL`);
  await insert('none', 'NULL, 0, NULL');
  await before.destroy();

  const after = await openDatabase(flagsSchema, config);
  const rows = await after.query<object[]>('SELECT flag_key, split, variant_models, targeting, tags FROM flags.flags ORDER BY flag_key');
  const rest = { targeting: null, tags: [] };
  const fractional = (salt: string, weights: Record<string, number>): object => ({ algorithm: 'fractional', salt, weights });
  expect(rows).toEqual([
    { flag_key: 'all', split: fractional('all', { off: 2_000_000 }), variant_models: {}, ...rest },
    { flag_key: 'none', split: null, variant_models: {}, ...rest },
    {
      flag_key: 'part',
      split: fractional('part', { on: 250_000, off: 1_750_000 }),
      variant_models: { on: 'mlb_model_1', off: 'mlb_model_1' },
      ...rest,
    },
  ]);
  await after.destroy();
  await drop();
});
