import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, ReachableSuite } from './api.harness.js';

/**
 * The suite that `story-suite.mjs` runs, for spec files that look at it from the outside, add things of their own and count nobody else's: most
 * of what such a file costs would be a suite of its own.
 */
export async function storySuite(): Promise<ReachableSuite> {
  const file = join(process.env.TEST_SERVERS_DIR!, 'story-suite.json');
  const text = await eventually(
    () => readFile(file, 'utf8').catch(() => ''),
    (content) => content !== '',
    30_000,
  );
  const { root, admin_key, database_url, nats_urls } = JSON.parse(text) as ReachableSuite;
  return new ReachableSuite(root, admin_key, database_url, nats_urls);
}
