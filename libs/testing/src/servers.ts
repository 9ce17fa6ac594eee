import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Jest's global set-up: one PostgreSQL and one nats-server for all spec files, at TEST_DATABASE_URL and TEST_NATS_URL. Jest's own resolution
 * does not reach here, so everything is imported by Node, from dist; that is why dist is brought up to date first.
 */
export default async function startServers({ rootDir }: { rootDir: string }): Promise<void> {
  await promisify(execFile)(process.execPath, [join(rootDir, 'scripts', 'build.mjs')], { cwd: rootDir });
  const { startTestServers } = await import('#testing/test-servers.js');
  await startTestServers();
}
