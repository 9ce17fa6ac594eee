import { type Alert, type AlertTransition } from '#contracts/alerts.js';
import { bodyFor, canTell, type Notice, signature } from './notification.js';

const api = 'https://models.example.com/api/models/enterprise';

function notice(transition: AlertTransition, more: Partial<Alert> = {}): Notice {
  const alert: Alert = {
    ...{ alert_id: '01890a5d-ac96-774b-bcce-b302099a8057', rule_id: '01890a5d-ac96-774b-bcce-b302099a8058', rule_name: 'p95 of canaries' },
    ...{ model_id: 'mlb_model_a1b2c3d4', model_name: 'MLB Props', model_version: '2.1.0', metric: 'p95_ms', severity: 'critical' },
    ...{
      state: transition === 'resolved' ? 'resolved' : 'firing',
      reason: 'p95_ms 900 over 15 min, above 500',
      value: 900,
      threshold: 500,
    },
    ...{ started_at: '2025-01-20T15:00:00.000Z', fired_at: '2025-01-20T15:05:00.000Z' },
    ...{ resolved_at: transition === 'resolved' ? '2025-01-20T15:30:00.000Z' : null },
    ...{ acknowledged_at: null, acknowledged_by: null, acknowledge_reason: null, silenced: false, ...more },
  };
  return { transition, at: '2025-01-20T15:05:00.000Z', alert };
}

const body = (format: 'alertmanager' | 'slack' | 'json', notices: Notice[]): unknown =>
  JSON.parse(bodyFor({ name: 'on-call', format }, 'd1', notices, api));

describe('the Alertmanager format', () => {
  it('has every field of version 4', () => {
    const labels = {
      alertname: 'p95 of canaries',
      metric: 'p95_ms',
      model_id: 'mlb_model_a1b2c3d4',
      model_name: 'MLB Props',
      model_version: '2.1.0',
      rule_id: '01890a5d-ac96-774b-bcce-b302099a8058',
      severity: 'critical',
    };
    const annotations = { summary: 'p95 of canaries: MLB Props 2.1.0', description: 'p95_ms 900 over 15 min, above 500' };
    expect(body('alertmanager', [notice('firing')])).toEqual({
      version: '4',
      groupKey: '{}:{alertname="p95 of canaries", rule_id="01890a5d-ac96-774b-bcce-b302099a8058"}',
      truncatedAlerts: 0,
      status: 'firing',
      receiver: 'on-call',
      groupLabels: { alertname: labels.alertname, rule_id: labels.rule_id },
      commonLabels: labels,
      commonAnnotations: annotations,
      externalURL: api,
      alerts: [
        {
          status: 'firing',
          labels,
          annotations,
          startsAt: '2025-01-20T15:05:00.000Z',
          endsAt: '0001-01-01T00:00:00Z',
          generatorURL: `${api}/alerts/rules/${labels.rule_id}`,
          fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
        },
      ],
    });
  });

  it('is resolved only when all of it is, has in common what all have, and tells the same alert by the same fingerprint', () => {
    const other = { model_id: 'mlb_model_00000000', model_name: 'Other' };
    const mixed = body('alertmanager', [notice('firing'), notice('resolved', other)]) as Record<string, Record<string, unknown>>;
    expect(mixed.status).toBe('firing');
    expect(Object.keys(mixed.commonLabels!)).toEqual(['alertname', 'metric', 'model_version', 'rule_id', 'severity']);
    const all = body('alertmanager', [notice('resolved'), notice('resolved', other)]) as { status: string; alerts: { endsAt: string }[] };
    expect([all.status, all.alerts[0]?.endsAt]).toEqual(['resolved', '2025-01-20T15:30:00.000Z']);
    const fingerprints = [notice('firing'), notice('resolved'), notice('firing', other)].map(
      (one) => (body('alertmanager', [one]) as { alerts: { fingerprint: string }[] }).alerts[0]?.fingerprint,
    );
    expect(fingerprints[0]).toBe(fingerprints[1]);
    expect(fingerprints[0]).not.toBe(fingerprints[2]);
  });

  it('cannot tell of an acknowledgement; the others can', () => {
    expect((['alertmanager', 'slack', 'json'] as const).map((format) => canTell(format, 'acknowledged'))).toEqual([false, true, true]);
    expect(canTell('alertmanager', 'resolved')).toBe(true);
  });
});

describe('the Slack format', () => {
  it('has a text and an attachment an alert', () => {
    expect(body('slack', [notice('firing')])).toEqual({
      text: 'p95 of canaries: 1 firing',
      attachments: [
        {
          color: '#d00000',
          fallback: '[firing] p95 of canaries: MLB Props 2.1.0',
          title: '[FIRING] MLB Props 2.1.0',
          title_link: `${api}/registry/mlb_model_a1b2c3d4/health`,
          text: 'p95_ms 900 over 15 min, above 500',
          fields: [
            { title: 'Severity', value: 'critical', short: true },
            { title: 'Model', value: 'mlb_model_a1b2c3d4', short: true },
          ],
          ts: 1737385500,
        },
      ],
    });
  });

  it('lets no name call a channel, and shows at most twenty of many', () => {
    const sly = bodyFor({ name: 'x', format: 'slack' }, 'd', [notice('firing', { rule_name: '<!channel>', model_name: '<!here>' })], api);
    expect(JSON.parse(sly)).toMatchObject({ text: '&lt;!channel&gt;: 1 firing', attachments: [{ title: '[FIRING] &lt;!here&gt; 2.1.0' }] });
    const many = body('slack', Array(30).fill(notice('resolved')) as Notice[]) as { text: string; attachments: unknown[] };
    expect([many.text, many.attachments.length]).toEqual(['p95 of canaries: 30 resolved (20 shown)', 20]);
  });
});

describe('signature', () => {
  it('is an HMAC-SHA256 over time and body', () => {
    // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
    expect(signature('secret', '{}', 1_700_000_000)).toBe(
      't=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163',
    );
  });
});
