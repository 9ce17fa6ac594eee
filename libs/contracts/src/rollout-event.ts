import { alertSeverities, type AlertSeverity } from './alerts.js';
import { Bool, Decimal, Instant, OneOf, Parts, Text, Whole } from './fields.js';
import { FlagKey, ModelId } from './registry.js';
import { request } from './request.js';
import { decisionRules, type DecisionRule } from './rollout-decision.js';
import { RolloutRef } from './rollouts.js';

export const rolloutEvents = [
  'started',
  'advanced',
  'held',
  'paused',
  'resumed',
  'completed',
  'rolled_back',
  'aborted',
  'refused',
] as const;
export type RolloutEventName = (typeof rolloutEvents)[number];

/** How much it concerns whoever is woken by it: what was taken back, what waits for somebody, what only is so. */
export const severityOfRolloutEvent: Record<RolloutEventName, AlertSeverity> = {
  started: 'info',
  advanced: 'info',
  held: 'warning',
  paused: 'info',
  resumed: 'info',
  completed: 'info',
  rolled_back: 'critical',
  aborted: 'info',
  refused: 'warning',
};

/** Why a step waits for somebody. */
export class RolloutHold {
  @OneOf(decisionRules)
  rule!: DecisionRule;

  @Instant()
  since!: string;
}

/** A fact about a rollout, on the stream of facts under `emr.evt.rollouts.<event>` and to webhooks: once, but for what is sent again. */
export class RolloutEvent extends RolloutRef {
  @Text({ max: 200, description: 'Also its Nats-Msg-Id: what is sent again has the same.' })
  event_id!: string;

  @OneOf(rolloutEvents, { description: '`held`: its step waits for somebody, told once for each step and `rule`.' })
  event!: RolloutEventName;

  @OneOf(alertSeverities)
  severity!: AlertSeverity;

  @Instant()
  at!: string;

  @FlagKey()
  flag_key!: string;

  @ModelId()
  candidate_model_id!: string;

  @ModelId()
  control_model_id!: string;

  @Whole({ description: 'Which of the steps, from 0.' })
  step!: number;

  @Decimal({ min: 0, max: 100, description: 'The candidate’s share of the flag’s traffic from now on.' })
  percentage!: number;

  @OneOf(decisionRules, { nullable: true, description: '`held` and `rolled_back`: the rule of the decision.' })
  rule!: DecisionRule | null;

  @Parts(() => RolloutHold, { description: 'What was told as `held` and is over with this.' })
  ended_holds!: RolloutHold[];

  @Text({ max: 2_000 })
  reason!: string;
}

export const subjectOfRollout = (event: RolloutEventName): string => `emr.evt.rollouts.${event}`;

export class RolloutEventTaken {
  @Bool({ description: 'Always true: its deliveries are stored, now or before.' })
  taken!: boolean;
}

/** For the webhooks, which are those of alerts. Asked again, it is taken once. */
export const takeRolloutEvent = request('metrics.take_rollout_event', { input: RolloutEvent, output: RolloutEventTaken });
