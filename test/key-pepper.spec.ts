import { randomBytes } from 'node:crypto';
import { GatewayConfig } from '#gateway/gateway.config.js';
import { startGateway } from '#gateway/gateway.server.js';
import { eventually } from './api.harness.js';
import { runToEnd } from './processes.harness.js';
import { TestSuite } from './suite.harness.js';

let suite: TestSuite;
beforeAll(async () => {
  suite = await TestSuite.start();
});
afterAll(() => suite.close());

const otherPepper = randomBytes(32).toString('hex');

it('a gateway with another pepper than the registry is not ready, says why, and calls no key wrong', async () => {
  const config = {
    NATS_URL: suite.nats_urls.gateway,
    KEY_PEPPER: otherPepper,
    LOG_LEVEL: 'silent',
    DRAIN_SECONDS: 0,
    HOST: '127.0.0.1',
    PORT: 0,
  };
  const gateway = await startGateway(Object.assign(new GatewayConfig(), config));
  try {
    const root = `http://127.0.0.1:${gateway.port}`;
    const report = await eventually(
      async () => (await (await fetch(`${root}/readyz`)).json()) as { ready: boolean; checks: Record<string, string> },
      ({ checks }) => checks.emr_keys === 'ok',
    );
    expect(report.ready).toBe(false);
    expect(report.checks.key_pepper).toMatch(/^KEY_PEPPER is another one than the registry has/);
    const asked = await fetch(`${root}/api/models/enterprise/types`, { headers: { authorization: `Bearer ${suite.admin_key}` } });
    expect([asked.status, ((await asked.json()) as { error: { code: string } }).error.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
  } finally {
    await gateway.close();
  }
});

it('a registry with another pepper than its keys ends with code 78 and a sentence', async () => {
  const { code, output } = await runToEnd('registry', {
    NATS_URL: suite.nats_urls.registry,
    DATABASE_URL: suite.database_url,
    KEY_PEPPER: otherPepper,
    PROBE_HOST: '127.0.0.1',
    PROBE_PORT: '0',
    LOG_LEVEL: 'silent',
  });
  expect([code, output.trim()]).toEqual([78, 'KEY_PEPPER: it is another one than the keys in the database were hashed with']);
  expect((await suite.api.send('/types')).status).toBe(200);
});
