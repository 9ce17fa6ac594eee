import { readFileSync, writeFileSync } from 'node:fs';
import openapiTs, { astToString, COMMENT_HEADER } from 'openapi-typescript';

const file = 'libs/client/src/rest.schema.ts';

it('is what docs/openapi.json says', async () => {
  const made = `${COMMENT_HEADER}${astToString(await openapiTs(readFileSync('docs/openapi.json', 'utf8')))}`;
  if (process.env.UPDATE_CLIENT) writeFileSync(file, made);
  // Not current? Type: UPDATE_CLIENT=1 npm test -- libs/client/src/rest.schema.spec.ts
  expect(readFileSync(file, 'utf8') === made).toBe(true);
}, 60_000);
