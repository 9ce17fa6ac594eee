import { type RolloutEvent, type RolloutEventName, type RolloutHold, severityOfRolloutEvent } from '#contracts/rollout-event.js';
import { type DecisionRule } from '#contracts/rollout-decision.js';
import { type RolloutEntity } from './rollout.entity.js';

/** A change as the audit and everybody else hear of it. `at`: RFC 3339. */
export interface Told {
  action: string;
  reason: string;
  at: string;
  /** Of the decision, where one made the change. */
  rule?: DecisionRule;
}

/** Of the actions of the audit: the others are steps on the way to one of these. */
const eventOfAction: Record<string, RolloutEventName> = {
  'rollout.started': 'started',
  'rollout.advanced': 'advanced',
  'rollout.held': 'held',
  'rollout.paused': 'paused',
  'rollout.resumed': 'resumed',
  'rollout.completed': 'completed',
  'rollout.rolled_back': 'rolled_back',
  'rollout.aborted': 'aborted',
  'rollout.refused': 'refused',
};

/** With these the step is over, and so is whatever held it. */
const endsStep: ReadonlySet<RolloutEventName> = new Set(['advanced', 'completed', 'rolled_back', 'aborted']);

/** Rules of a tick that hold a step until somebody looks, or until it is otherwise. */
const waiting: ReadonlySet<DecisionRule> = new Set(['sample_ratio', 'no_data', 'signal_harm', 'max_duration']);

/** Whether a hold is to be told: once for each step, however often the rule comes and goes. */
export const isNewHold = (held: readonly RolloutHold[], rule: DecisionRule): boolean =>
  waiting.has(rule) && !held.some((hold) => hold.rule === rule);

/**
 * What is told of a change, and what the rollout remembers of that; null where nothing is. Events of a rollout are numbered: the same change has the
 * same id whoever tells it, and one that is missing is noticed.
 */
export function eventOf(
  before: Pick<RolloutEntity, 'told' | 'held'>,
  after: RolloutEntity,
  { action, reason, at, rule }: Told,
): { event: RolloutEvent; remembered: Pick<RolloutEntity, 'told' | 'held'> } | null {
  const name = eventOfAction[action];
  if (!name) return null;
  const told = before.told + 1;
  const ended_holds = endsStep.has(name) ? before.held : [];
  const held = endsStep.has(name) ? [] : name === 'held' ? [...before.held, { rule: rule!, since: at }] : before.held;
  const { rollout_id, flag_key, candidate_model_id, control_model_id, step, percentage } = after;
  const event: RolloutEvent = {
    rollout_id,
    event_id: `${rollout_id}:${told}:${name}`,
    event: name,
    severity: severityOfRolloutEvent[name],
    at,
    ...{ flag_key, candidate_model_id, control_model_id, step, percentage },
    rule: rule ?? null,
    ended_holds,
    reason,
  };
  return { event, remembered: { told, held } };
}
