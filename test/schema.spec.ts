import { flagsSchema } from '#flags/flags.module.js';
import { metricsSchema } from '#metrics/metrics.module.js';
import { registrySchema } from '#registry/registry.module.js';
import { openDatabase } from '#runtime/database.module.js';
import { createDatabase } from '#testing/database.js';
import { validationSchema } from '#validation/validation.module.js';

const schemas = [registrySchema, metricsSchema, validationSchema, flagsSchema];

describe('the migrations', () => {
  it.each(schemas)('of $name make what its entities say, also when several replicas start at once, and can be undone', async (schema) => {
    const { url, drop } = await createDatabase();
    const config = { DATABASE_URL: url, DATABASE_POOL_SIZE: 2 };
    const [first, ...others] = await Promise.all(Array.from({ length: 4 }, () => openDatabase(schema, config)));
    await Promise.all(others.map((source) => source.destroy()));
    const { upQueries } = await first!.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
    for (const _ of schema.migrations) await first!.undoLastMigration();
    const left = await first!.query<{ table_name: string }[]>('SELECT table_name FROM information_schema.tables WHERE table_schema = $1', [
      schema.name,
    ]);
    expect(left.map(({ table_name }) => table_name)).toEqual(['migrations']);
    await first!.destroy();
    await drop();
  });
});
