import { AppError } from '#contracts/errors.js';
import { type Flag } from '#contracts/flags.js';
import { type Model } from '#contracts/registry.js';
import { type Policy, type SelectedModel, type Selection, type SelectionReason } from '#contracts/selection.js';
import { type Evaluated } from '#evaluation/compiled-flag.js';
import { type Choice, type Exclusion, type FlagChoice } from '#evaluation/selection/choose.js';
import { lasting } from './answer-body.js';

/** How many exclusions an answer lists. */
const shownExclusions = 20;

const policyReasons = { weighted: 'WEIGHTED', best_health: 'BEST_HEALTH', bandit: 'BANDIT' } as const;

/** What a flag says, as far as a choice goes by it. Where its split decides each model has the share of its variants. */
export function flagChoiceOf(flag: Flag, { model_id, reason }: Evaluated): FlagChoice {
  if (reason === 'TARGETING_MATCH' || reason === 'ERROR') return { model_id, shares: null };
  if (reason !== 'SPLIT' || !flag.split) return { model_id, shares: model_id === null ? null : new Map([[model_id, 1]]) };
  const { weights } = flag.split;
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  const shares = new Map<string, number>();
  for (const [variant, weight] of Object.entries(weights)) {
    const bound = flag.variant_models[variant];
    if (bound !== undefined && weight > 0) shares.set(bound, (shares.get(bound) ?? 0) + weight / total);
  }
  return { model_id, shares };
}

interface Decided {
  /** The flag that was asked. */
  flag: Flag;
  /** And what it said. */
  evaluated: Evaluated;
}

/** Of choices that are made once for many keys, for as long as those last. */
const selections = new WeakMap<Choice, Selection>();

/** The answer to a request that a policy other than `flag` has made a choice for; the same one as long as the choice is. */
export function policySelection(policy: Policy, choice: Choice, isWeighed: boolean): Selection {
  let selection = selections.get(choice);
  if (!selection) {
    selection = lasting(selectionOf(policy, choice, isWeighed, null));
    selections.set(choice, selection);
  }
  return selection;
}

/** The answer to a request that a flag has made a choice for. */
export const flagSelection = (choice: Choice, by: Decided): Selection => selectionOf('flag', choice, false, by);

function selectionOf(policy: Policy, choice: Choice, isWeighed: boolean, by: Decided | null): Selection {
  const { chosen, fallbacks, fallback_from, propensity, excluded } = choice;
  return {
    ...selectedModel(chosen.model),
    policy,
    reason: reasonOf(policy, choice, isWeighed, by?.evaluated ?? null),
    fallback_from,
    flag_key: by?.flag.flag_key ?? null,
    variant: by ? variantOf(by.flag, by.evaluated, chosen.model) : null,
    propensity,
    fallbacks: fallbacks.map(({ model }) => selectedModel(model)),
    excluded: excluded.slice(0, shownExclusions),
  };
}

function reasonOf(policy: Policy, { way, chosen }: Choice, isWeighed: boolean, evaluated: Evaluated | null): SelectionReason {
  if (way === 'last_one') return 'LAST_ONE';
  if (way === 'fallback') return 'FALLBACK';
  if (chosen.breaker === 'half_open' && chosen.forced !== 'closed') return 'PROBE';
  if (evaluated && evaluated.reason !== 'ERROR') return evaluated.reason;
  if (policy === 'bandit' && !isWeighed) return 'EVEN';
  return policy === 'flag' ? 'FALLBACK' : policyReasons[policy];
}

/** The variant that the chosen model is counted under: of one in its place the flag's own for it, if it has any. */
function variantOf(flag: Flag, { variant, model_id }: Evaluated, chosen: Model): string | null {
  if (model_id === chosen.model_id) return variant;
  return Object.keys(flag.variant_models).find((name) => flag.variant_models[name] === chosen.model_id) ?? null;
}

const selectedModel = ({ model_id, name, version, serving }: Model): SelectedModel => ({ model_id, name, version, serving });

export const noEligibleModel = (excluded: Exclusion[]): AppError =>
  new AppError('NO_ELIGIBLE_MODEL', 'None of the models that were asked for can be served', {
    excluded: excluded.slice(0, shownExclusions),
    excluded_total: excluded.length,
  });
