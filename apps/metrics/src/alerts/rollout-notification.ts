import { type AlertSeverity } from '#contracts/alerts.js';
import { type DecisionRule } from '#contracts/rollout-decision.js';
import { type RolloutEvent, type RolloutEventName, severityOfRolloutEvent } from '#contracts/rollout-event.js';
import { type Webhook } from '#contracts/webhooks.js';
import { colours, escaped, fingerprint, notOver, type Recipient } from './notification.js';

type Listener = Recipient & Pick<Webhook, 'severities'>;

/** What Alertmanager's format calls an alert: what was taken back, and what waits for somebody. Nothing else of a rollout fires, or ends. */
const alertnames: Partial<Record<RolloutEventName, string>> = { rolled_back: 'RolloutRolledBack', held: 'RolloutHeld' };

/** Whether a webhook is to hear of it. */
export function isWanted(event: RolloutEvent, { format, severities }: Omit<Listener, 'name'>): boolean {
  if (format === 'alertmanager') return alertsOf(event, severities).length > 0;
  return !severities || severities.includes(event.severity);
}

/** The body for a webhook: what happened to a rollout. `api_url` is where the REST surface is. */
export function rolloutBodyFor(recipient: Listener, delivery_id: string, event: RolloutEvent, api_url: string): string {
  switch (recipient.format) {
    case 'alertmanager':
      return JSON.stringify(alertmanagerBody(recipient, event, api_url));
    case 'slack':
      return JSON.stringify(slackBody(event, api_url));
    case 'json':
      // Whoever goes through the notices of alerts finds none here.
      return JSON.stringify({ delivery_id, notices: [], rollout: event });
  }
}

interface RolloutAlert {
  alertname: string;
  severity: AlertSeverity;
  rule: DecisionRule | null;
  startsAt: string;
  /** null: it fires. */
  endsAt: string | null;
}

/** Holds whose step is over, and what begins. A rollback has no end: whoever has an incident for it closes it. */
function alertsOf({ event, severity, rule, at, ended_holds }: RolloutEvent, severities: readonly AlertSeverity[] | null): RolloutAlert[] {
  const held = severityOfRolloutEvent.held;
  const over = ended_holds.map((hold) => ({ alertname: 'RolloutHeld', severity: held, rule: hold.rule, startsAt: hold.since, endsAt: at }));
  const alertname = alertnames[event];
  const begun = alertname ? [{ alertname, severity, rule, startsAt: at, endsAt: null }] : [];
  return [...over, ...begun].filter((alert) => !severities || severities.includes(alert.severity));
}

/** Version 4 of what Alertmanager posts to its webhook receivers. */
function alertmanagerBody({ name, severities }: Listener, event: RolloutEvent, api_url: string): object {
  const { rollout_id, flag_key, candidate_model_id, control_model_id } = event;
  const of = { control_model_id, flag_key, model_id: candidate_model_id, rollout_id };
  const annotations = { summary: summaryOf(event), description: event.reason };
  const alerts = alertsOf(event, severities).map(({ alertname, severity, rule, startsAt, endsAt }) => {
    const labels = { alertname, ...of, ...(rule && { rule }), severity };
    return {
      ...{ status: endsAt ? 'resolved' : 'firing', labels, annotations, startsAt, endsAt: endsAt ?? notOver },
      ...{ generatorURL: `${api_url}/rollouts/${rollout_id}`, fingerprint: fingerprint(labels) },
    };
  });
  return {
    version: '4',
    groupKey: `{}:{rollout_id=${JSON.stringify(rollout_id)}}`,
    truncatedAlerts: 0,
    status: alerts.every(({ status }) => status === 'resolved') ? 'resolved' : 'firing',
    receiver: name,
    groupLabels: { rollout_id },
    commonLabels: of,
    commonAnnotations: annotations,
    externalURL: api_url,
    alerts,
  };
}

const colourOf = ({ event, severity }: RolloutEvent): string => (event === 'completed' ? colours.resolved : colours.firing[severity]);

function slackBody(event: RolloutEvent, api_url: string): object {
  const { rollout_id, candidate_model_id, control_model_id, percentage, reason, at } = event;
  const summary = summaryOf(event);
  return {
    text: escaped(summary),
    attachments: [
      {
        color: colourOf(event),
        fallback: escaped(summary),
        title: escaped(summary),
        title_link: `${api_url}/rollouts/${rollout_id}`,
        text: escaped(reason),
        fields: [
          { title: 'Candidate', value: candidate_model_id, short: true },
          { title: 'Control', value: control_model_id, short: true },
          { title: 'Share', value: `${percentage} %`, short: true },
        ],
        ts: Math.floor(Date.parse(at) / 1000),
      },
    ],
  };
}

const summaryOf = ({ event, flag_key }: RolloutEvent): string => `Rollout of ${flag_key}: ${event.replace('_', ' ')}`;
