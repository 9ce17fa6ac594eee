import { createHash, createHmac } from 'node:crypto';
import { type Alert, type AlertTransition } from '#contracts/alerts.js';
import { type WebhookFormat } from '#contracts/webhooks.js';

/** One thing that became known of an alert, and the alert as it was then. */
export interface Notice {
  transition: AlertTransition;
  /** RFC 3339. */
  at: string;
  alert: Alert;
}

export interface Recipient {
  name: string;
  format: WebhookFormat;
}

/** The year that Alertmanager's receivers read as "not over". */
export const notOver = '0001-01-01T00:00:00Z';
/** Slack cuts longer messages; the rest of the alerts are in the list. */
const maxSlackAlerts = 20;

/** Whether a format can say this: Alertmanager's knows of no acknowledgement. */
export const canTell = (format: WebhookFormat, transition: AlertTransition): boolean =>
  format !== 'alertmanager' || transition !== 'acknowledged';

/** The body for a webhook: what changed of one rule's alerts at one evaluation. `api_url` is where the REST surface is. */
export function bodyFor(recipient: Recipient, delivery_id: string, notices: Notice[], api_url: string): string {
  switch (recipient.format) {
    case 'alertmanager':
      return JSON.stringify(alertmanagerBody(recipient.name, notices, api_url));
    case 'slack':
      return JSON.stringify(slackBody(notices, api_url));
    case 'json':
      return JSON.stringify({ delivery_id, notices });
  }
}

const isOver = ({ transition }: Notice): boolean => transition === 'resolved';

const labelsOf = ({ alert }: Notice): Record<string, string> => ({
  alertname: alert.rule_name,
  metric: alert.metric,
  model_id: alert.model_id,
  model_name: alert.model_name,
  model_version: alert.model_version,
  rule_id: alert.rule_id,
  severity: alert.severity,
});

const annotationsOf = ({ alert }: Notice): Record<string, string> => ({
  summary: `${alert.rule_name}: ${alert.model_name} ${alert.model_version}`,
  description: alert.reason,
});

/** Version 4 of what Alertmanager posts to its webhook receivers: prometheus.io/docs/alerting/latest/configuration, "webhook_config". */
function alertmanagerBody(receiver: string, notices: Notice[], api_url: string): object {
  const groupLabels = common(notices.map((notice) => pick(labelsOf(notice), ['alertname', 'rule_id'])));
  return {
    version: '4',
    groupKey: `{}:{alertname=${JSON.stringify(groupLabels.alertname)}, rule_id=${JSON.stringify(groupLabels.rule_id)}}`,
    truncatedAlerts: 0,
    status: notices.every(isOver) ? 'resolved' : 'firing',
    receiver,
    groupLabels,
    commonLabels: common(notices.map(labelsOf)),
    commonAnnotations: common(notices.map(annotationsOf)),
    externalURL: api_url,
    alerts: notices.map((notice) => ({
      status: isOver(notice) ? 'resolved' : 'firing',
      labels: labelsOf(notice),
      annotations: annotationsOf(notice),
      startsAt: notice.alert.fired_at ?? notice.alert.started_at,
      endsAt: notice.alert.resolved_at ?? notOver,
      generatorURL: `${api_url}/alerts/rules/${notice.alert.rule_id}`,
      fingerprint: fingerprint(labelsOf(notice)),
    })),
  };
}

/** 16 hex digits, the same for the same labels, as receivers use to tell one alert from another. */
export function fingerprint(labels: Record<string, string>): string {
  const text = Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flat()
    .join('\u0000');
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function common(all: Record<string, string>[]): Record<string, string> {
  return Object.fromEntries(Object.entries(all[0] ?? {}).filter(([name, value]) => all.every((one) => one[name] === value)));
}

const pick = (labels: Record<string, string>, names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, labels[name] ?? '']));

export const colours = {
  firing: { info: '#439fe0', warning: '#daa038', critical: '#d00000' },
  resolved: '#2eb886',
  acknowledged: '#888888',
} as const;

/** A message for Slack's incoming webhooks: `text` for notifications, an attachment an alert: docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. */
function slackBody(notices: Notice[], api_url: string): object {
  const shown = notices.slice(0, maxSlackAlerts);
  const more = notices.length - shown.length;
  const name = notices[0]?.alert.rule_name ?? '';
  const counts = (['firing', 'acknowledged', 'resolved'] as const)
    .map((transition) => [notices.filter((notice) => notice.transition === transition).length, transition] as const)
    .filter(([count]) => count > 0)
    .map(([count, transition]) => `${count} ${transition}`);
  return {
    text: `${escaped(name)}: ${counts.join(', ')}${more > 0 ? ` (${shown.length} shown)` : ''}`,
    attachments: shown.map(({ transition, alert, at }) => ({
      color: transition === 'firing' ? colours.firing[alert.severity] : colours[transition],
      fallback: `[${transition}] ${alert.rule_name}: ${alert.model_name} ${alert.model_version}`,
      title: `[${transition.toUpperCase()}] ${escaped(alert.model_name)} ${escaped(alert.model_version)}`,
      title_link: `${api_url}/registry/${alert.model_id}/health`,
      text: escaped(transition === 'acknowledged' ? `${alert.acknowledged_by}: ${alert.acknowledge_reason}` : alert.reason),
      fields: [
        { title: 'Severity', value: alert.severity, short: true },
        { title: 'Model', value: alert.model_id, short: true },
      ],
      ts: Math.floor(Date.parse(at) / 1000),
    })),
  };
}

/** Slack's three control characters: a model called `<!channel>` must not call everyone. */
export const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "<t>.<body>">`, so that a receiver knows the sender and can refuse what is replayed. */
export function signature(secret: string, body: string, seconds: number): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
