import { type RolloutEvent, type RolloutEventName, severityOfRolloutEvent } from '#contracts/rollout-event.js';
import { isWanted, rolloutBodyFor } from './rollout-notification.js';

const api = 'https://models.example.com/api/models/enterprise';
const hold = { rule: 'no_data' as const, since: '2025-01-20T15:20:10.000Z' };

const eventOf = (event: RolloutEventName, more: Partial<RolloutEvent> = {}): RolloutEvent => ({
  ...{ rollout_id: 'rollout_0a1b2c3d4e5f', event_id: `rollout_0a1b2c3d4e5f:4:${event}`, event, severity: severityOfRolloutEvent[event] },
  ...{ at: '2025-01-20T15:30:10.000Z', flag_key: 'mlb_props', candidate_model_id: 'mlb_model_a1b2c3d4' },
  ...{ control_model_id: 'mlb_model_0f1e2d3c', step: 1, percentage: 0, rule: null, ended_holds: [], reason: 'it is <worse>', ...more },
});
const body = (
  format: 'alertmanager' | 'slack' | 'json',
  event: RolloutEvent,
  severities: ('warning' | 'critical')[] | null = null,
): unknown => JSON.parse(rolloutBodyFor({ name: 'on-call', format, severities }, 'd1', event, api));

const labels = {
  control_model_id: 'mlb_model_0f1e2d3c',
  flag_key: 'mlb_props',
  model_id: 'mlb_model_a1b2c3d4',
  rollout_id: 'rollout_0a1b2c3d4e5f',
};

describe('the Alertmanager format', () => {
  it('has every field of version 4, what is over and what fires', () => {
    const annotations = { summary: 'Rollout of mlb_props: rolled back', description: 'it is <worse>' };
    const held = { ...labels, alertname: 'RolloutHeld', rule: 'no_data', severity: 'warning' };
    const told = { ...labels, alertname: 'RolloutRolledBack', rule: 'guardrail_harm', severity: 'critical' };
    const generatorURL = `${api}/rollouts/rollout_0a1b2c3d4e5f`;
    const fingerprint = expect.stringMatching(/^[0-9a-f]{16}$/) as string;
    expect(body('alertmanager', eventOf('rolled_back', { rule: 'guardrail_harm', ended_holds: [hold] }))).toEqual({
      version: '4',
      groupKey: '{}:{rollout_id="rollout_0a1b2c3d4e5f"}',
      truncatedAlerts: 0,
      status: 'firing',
      receiver: 'on-call',
      groupLabels: { rollout_id: 'rollout_0a1b2c3d4e5f' },
      commonLabels: labels,
      commonAnnotations: annotations,
      externalURL: api,
      alerts: [
        {
          ...{ status: 'resolved', labels: held, annotations, startsAt: hold.since, endsAt: '2025-01-20T15:30:10.000Z' },
          ...{ generatorURL, fingerprint },
        },
        {
          ...{ status: 'firing', labels: told, annotations, startsAt: '2025-01-20T15:30:10.000Z', endsAt: '0001-01-01T00:00:00Z' },
          ...{ generatorURL, fingerprint },
        },
      ],
    });
  });

  it('tells the end of a hold under the fingerprint of its beginning', () => {
    const prints = [eventOf('held', { rule: 'no_data' }), eventOf('advanced', { ended_holds: [hold] })].map(
      (event) => (body('alertmanager', event) as { alerts: { status: string; fingerprint: string }[] }).alerts,
    );
    expect(prints.map(([alert]) => alert!.status)).toEqual(['firing', 'resolved']);
    expect(new Set(prints.map(([alert]) => alert!.fingerprint)).size).toBe(1);
  });

  it('says of each severity only what has it', () => {
    const rollback = eventOf('rolled_back', { rule: 'guardrail_harm', ended_holds: [hold] });
    const names = (severities: ('warning' | 'critical')[]): string[] =>
      (body('alertmanager', rollback, severities) as { alerts: { labels: { alertname: string } }[] }).alerts.map(
        (alert) => alert.labels.alertname,
      );
    expect(names(['critical'])).toEqual(['RolloutRolledBack']);
    expect(names(['warning'])).toEqual(['RolloutHeld']);
  });
});

it.each([
  ['alertmanager', null, ['held', 'rolled_back']],
  ['alertmanager', ['critical' as const], ['rolled_back']],
  ['slack', null, ['started', 'advanced', 'held', 'paused', 'resumed', 'completed', 'rolled_back', 'aborted', 'refused']],
  ['json', ['warning' as const], ['held', 'refused']],
] as const)('%s for %j hears of %j', (format, severities, wanted) => {
  const all = Object.keys(severityOfRolloutEvent) as RolloutEventName[];
  const heard = all.filter((event) => isWanted(eventOf(event), { format, severities: severities && [...severities] }));
  expect(heard).toEqual(wanted);
  expect(isWanted(eventOf('advanced', { ended_holds: [hold] }), { format: 'alertmanager', severities: ['warning'] })).toBe(true);
});

it('is one attachment for Slack, in which names command nothing', () => {
  expect(body('slack', eventOf('rolled_back'))).toEqual({
    text: 'Rollout of mlb_props: rolled back',
    attachments: [
      {
        color: '#d00000',
        fallback: 'Rollout of mlb_props: rolled back',
        title: 'Rollout of mlb_props: rolled back',
        title_link: `${api}/rollouts/rollout_0a1b2c3d4e5f`,
        text: 'it is &lt;worse&gt;',
        fields: [
          { title: 'Candidate', value: 'mlb_model_a1b2c3d4', short: true },
          { title: 'Control', value: 'mlb_model_0f1e2d3c', short: true },
          { title: 'Share', value: '0 %', short: true },
        ],
        ts: 1737387010,
      },
    ],
  });
});

it('is the event as it is in JSON, without notices of alerts', () => {
  const event = eventOf('completed');
  expect(body('json', event)).toEqual({ delivery_id: 'd1', notices: [], rollout: event });
});
