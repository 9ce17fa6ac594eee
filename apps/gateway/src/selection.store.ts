import { Injectable } from '@nestjs/common';
import { inScope, isNarrowed, type Scope } from '#contracts/access.js';
import { type Model } from '#contracts/registry.js';
import {
  type BanditPool,
  breakersView,
  type CircuitBreaker,
  type ModelsWanted,
  type Policy,
  poolIdOf,
  poolsView,
  usePool,
} from '#contracts/selection.js';
import { probes } from '#evaluation/selection/breaker.js';
import { type Candidate, type Choose, type Exclusion, prepareChoice } from '#evaluation/selection/choose.js';
import { isWanted } from '#evaluation/selection/wanted.js';
import { type Weights } from '#evaluation/selection/weights.js';
import { Bus } from '#runtime/bus.js';
import { type Caller, system } from '#runtime/caller.js';
import { type Followed } from '#runtime/followed.js';
import { Logger } from '#runtime/logger.js';
import { Views } from '#runtime/views.js';
import { Figures } from './figures.store.js';
import { KnownModels } from './known-models.store.js';

const keptLists = 1_000;
/** The flags service lets a pool go that it is not told of for an hour. */
const tellEveryMs = 60_000;
/** What a uniform prior expects of a model of which nothing is known. */
const unknownSuccess = 0.5;

interface Prepared {
  choose: Choose;
  /** Whether a bandit has weights. */
  isWeighed: boolean;
}

/** What selection looks at, all of it in memory: models, their health, their breakers and the weights of bandits. */
@Injectable()
export class SelectionStore {
  readonly breakers: Followed<CircuitBreaker>;
  private readonly pools: Followed<BanditPool>;
  /** Stable and canary models by what is asked for, until any model changes. */
  private readonly lists = new Map<string, Model[]>();
  /** Choices by policy and what is asked for, for whoever sees all models, until anything changes that they are made of. */
  private readonly prepared = new Map<string, Prepared>();
  private readonly poolIds = new Map<string, string>();
  private readonly told = new Map<string, number>();
  /** How often a half-open model was chosen here since `since`. */
  private readonly probed = new Map<string, { since: string; count: number }>();

  constructor(
    views: Views,
    private readonly bus: Bus,
    private readonly known: KnownModels,
    private readonly figures: Figures,
    private readonly logger: Logger,
  ) {
    this.breakers = views.follow(breakersView);
    this.pools = views.follow(poolsView);
    const prepareAnew = (): void => this.prepared.clear();
    const listAnew = (): void => {
      this.lists.clear();
      prepareAnew();
    };
    known.projection.onChange({ put: listAnew, removed: listAnew });
    this.breakers.onChange({ put: prepareAnew, removed: prepareAnew });
    this.pools.onChange({ put: prepareAnew, removed: prepareAnew });
    figures.onHealthChange(prepareAnew);
  }

  /** By a policy other than `flag`. */
  choice(policy: Policy, wanted: ModelsWanted, { actor }: Caller): Prepared {
    const pool = policy === 'bandit' ? this.pool(wanted) : undefined;
    const prepare = (): Prepared => {
      const { weights, rest } = weightsOf(pool);
      const candidates = this.wanted(wanted, actor.scope);
      return { choose: prepareChoice({ policy, candidates, weights, rest, flag: null }), isWeighed: weights !== null };
    };
    if (isNarrowed(actor.scope)) return prepare();
    const key = `${policy} ${keyOf(wanted)}`;
    const before = this.prepared.get(key);
    if (before) return before;
    if (this.prepared.size >= keptLists) this.prepared.clear();
    const after = prepare();
    this.prepared.set(key, after);
    return after;
  }

  /** What was meant, is stable or canary, and in scope. */
  wanted(wanted: ModelsWanted, scope: Scope): Candidate[] {
    const key = keyOf(wanted);
    return visible(scope, this.lists.get(key) ?? this.list(key, wanted)).map((model) => this.candidate(model));
  }

  /** What was meant besides, to tell why nothing is left. */
  inOtherStatus(wanted: ModelsWanted, scope: Scope): Exclusion[] {
    return visible(scope, [...this.known.projection.values()])
      .filter((model) => isWanted(wanted, model) && !isServed(model))
      .map(({ model_id }) => ({ model_id, reason: 'STATUS' }));
  }

  candidate(model: Model): Candidate {
    const breaker = this.breakers.get(model.model_id);
    return {
      model,
      health_status: this.figures.healthOf(model.model_id),
      breaker: breaker?.state ?? 'closed',
      forced: breaker?.forced ?? null,
      probes_left: breaker?.state === 'half_open' ? this.probesLeft(breaker) : 0,
      success: breaker?.expected_success ?? unknownSuccess,
    };
  }

  /** A half-open model was chosen: of each gateway it gets so many inferences until it is judged. */
  probe(model_id: string): void {
    const breaker = this.breakers.get(model_id);
    if (breaker?.state !== 'half_open') return;
    this.probed.set(model_id, { since: breaker.since, count: probes - this.probesLeft(breaker) + 1 });
    this.prepared.clear();
  }

  /** Undefined until the flags service has it; asked for, it hears that it is served. */
  private pool(wanted: ModelsWanted): BanditPool | undefined {
    const key = keyOf(wanted);
    const pool_id = this.poolIds.get(key) ?? poolIdOf(wanted);
    if (this.poolIds.size >= keptLists) this.poolIds.clear();
    this.poolIds.set(key, pool_id);
    this.tell(pool_id, wanted);
    return this.pools.get(pool_id);
  }

  private probesLeft({ model_id, since }: CircuitBreaker): number {
    const probed = this.probed.get(model_id);
    return probed?.since === since ? Math.max(0, probes - probed.count) : probes;
  }

  private list(key: string, wanted: ModelsWanted): Model[] {
    if (this.lists.size >= keptLists) this.lists.clear();
    const models = [...this.known.projection.values()].filter((model) => isServed(model) && isWanted(wanted, model));
    this.lists.set(key, models);
    return models;
  }

  /** Whether it is heard makes no difference to the answer: without weights all are alike, and the next one tells it again. */
  private tell(pool_id: string, { name, sport, model_type }: ModelsWanted): void {
    const now = performance.now();
    if (now - (this.told.get(pool_id) ?? -Infinity) < tellEveryMs) return;
    if (this.told.size >= keptLists) this.told.clear();
    this.told.set(pool_id, now);
    this.bus.ask(usePool, { name, sport, model_type }, system('gateway')).catch((error: unknown) => {
      this.told.delete(pool_id);
      this.logger.debug(`The flags service was not told of a bandit pool: ${String(error)}`, 'selection');
    });
  }
}

const isServed = ({ status }: Model): boolean => status === 'stable' || status === 'canary';

const visible = (scope: Scope, models: Model[]): Model[] => (isNarrowed(scope) ? models.filter((model) => inScope(scope, model)) : models);

const keyOf = ({ name, sport, model_type }: ModelsWanted): string => `${model_type ?? ''} ${sport ?? ''} ${name ?? ''}`;

/** Null until the flags service has weighed it. */
function weightsOf(pool: BanditPool | undefined): { weights: Weights | null; rest: Weights | null } {
  if (!pool?.arms.length) return { weights: null, rest: null };
  const rest = pool.arms.filter(({ rest_weight }) => rest_weight !== null);
  return {
    weights: Object.fromEntries(pool.arms.map(({ model_id, weight }) => [model_id, weight])),
    rest: rest.length ? Object.fromEntries(rest.map(({ model_id, rest_weight }) => [model_id, rest_weight!])) : null,
  };
}
