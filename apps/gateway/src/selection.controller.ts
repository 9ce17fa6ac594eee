import { Controller, Get, Post, Put } from '@nestjs/common';
import { type Scope } from '#contracts/access.js';
import { invalidInput } from '#contracts/errors.js';
import { type Page, PageRequest } from '#contracts/page.js';
import { ModelRef } from '#contracts/registry.js';
import {
  type BanditPool,
  BreakerChange,
  changeBreaker,
  type CircuitBreaker,
  CircuitBreakerFilter,
  getBreaker,
  listBreakers,
  listPools,
  Selection,
  SelectionRequest,
} from '#contracts/selection.js';
import { type Evaluated } from '#evaluation/compiled-flag.js';
import { type Candidate, prepareChoice } from '#evaluation/selection/choose.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { Ages, type SayAge } from './ages.decorator.js';
import { By } from './by.decorator.js';
import { KnownFlags } from './known-flags.store.js';
import { KnownModels } from './known-models.store.js';
import { flagChoiceOf, flagSelection, noEligibleModel, policySelection } from './selection-answer.js';
import { SelectionStore } from './selection.store.js';
import { Input, Serves } from './serves.decorator.js';

@Controller()
export class SelectionController {
  constructor(
    private readonly bus: Bus,
    private readonly store: SelectionStore,
    private readonly known: KnownModels,
    private readonly flags: KnownFlags,
  ) {}

  /** From memory alone, also while every service is away. */
  @Post('select')
  @Serves({
    input: SelectionRequest,
    output: Selection,
    role: 'client',
    from: 'body',
    summary: 'Choose the model that serves a request, with those to fall back on',
  })
  select(@Input() input: SelectionRequest, @Ages() say: SayAge, @By() caller: Caller): Selection | Promise<Selection> {
    const { flag_key } = input;
    if (flag_key === undefined) {
      say(this.known.projection, this.store.breakers);
      return this.selectByPolicy(input, caller);
    }
    say(this.known.projection, this.store.breakers, this.flags.flags, this.flags.evaluators);
    return this.selectByFlag(flag_key, input, caller);
  }

  @Get('breakers')
  @Serves({ ...listBreakers, role: 'admin', from: 'query', summary: 'List circuit breakers of models that have been counted' })
  listBreakers(@Input() input: CircuitBreakerFilter, @By() caller: Caller): Promise<Page<CircuitBreaker>> {
    return this.bus.ask(listBreakers, input, caller);
  }

  @Get('breakers/:model_id')
  @Serves({ ...getBreaker, role: 'admin', path: ['model_id'], from: 'query', summary: 'The circuit breaker of a model' })
  getBreaker(@Input() input: ModelRef, @By() caller: Caller): Promise<CircuitBreaker> {
    return this.bus.ask(getBreaker, input, caller);
  }

  @Put('breakers/:model_id')
  @Serves({
    ...changeBreaker,
    role: 'admin',
    path: ['model_id'],
    from: 'body',
    summary: 'Force a circuit breaker open or closed, or leave it to what is counted',
  })
  async changeBreaker(@Input() input: BreakerChange, @By() caller: Caller): Promise<CircuitBreaker> {
    const breaker = await this.bus.ask(changeBreaker, input, caller);
    this.store.breakers.learn(breaker);
    return breaker;
  }

  @Get('bandit-pools')
  @Serves({ ...listPools, role: 'admin', from: 'query', summary: 'What bandits choose among, and what they have learned' })
  listPools(@Input() input: PageRequest, @By() caller: Caller): Promise<Page<BanditPool>> {
    return this.bus.ask(listPools, input, caller);
  }

  private selectByPolicy({ policy = 'weighted', targeting_key, name, sport, model_type }: SelectionRequest, caller: Caller): Selection {
    if (policy === 'flag') throw invalidInput([{ field: 'flag_key', accepted: 'the flag that decides, with the policy flag' }]);
    if (name === undefined && sport === undefined && model_type === undefined)
      throw invalidInput([{ field: 'name', accepted: 'at least one of name, sport, model_type and flag_key' }]);
    const wanted = { name, sport, model_type };
    const { choose, isWeighed } = this.store.choice(policy, wanted, caller);
    const choice = choose(targeting_key);
    if (!('chosen' in choice)) throw noEligibleModel([...choice.excluded, ...this.store.inOtherStatus(wanted, caller.actor.scope)]);
    this.store.probe(choice.chosen.model.model_id);
    return policySelection(policy, choice, isWeighed);
  }

  private async selectByFlag(flag_key: string, input: SelectionRequest, caller: Caller): Promise<Selection> {
    const { targeting_key, policy = 'flag', context } = input;
    if (policy !== 'flag') throw invalidInput([{ field: 'policy', value: policy, accepted: 'flag, or no flag_key' }]);
    for (const field of ['name', 'sport', 'model_type'] as const)
      if (input[field] !== undefined) throw invalidInput([{ field, value: input[field], accepted: 'nothing beside a flag_key' }]);
    const compiled = await this.flags.require(flag_key, caller);
    const { flag } = compiled;
    if (Object.keys(flag.variant_models).length === 0)
      throw invalidInput([{ field: 'flag_key', value: flag_key, accepted: 'a flag whose variants are bound to models' }]);
    const evaluated = compiled.evaluate({ ...context, targetingKey: targeting_key }, Date.now());
    const candidates = this.candidatesOf(Object.values(flag.variant_models), evaluated, caller.actor.scope);
    const choice = prepareChoice({ policy, candidates, weights: null, rest: null, flag: flagChoiceOf(flag, evaluated) })(targeting_key);
    if (!('chosen' in choice)) throw noEligibleModel(choice.excluded);
    this.store.probe(choice.chosen.model.model_id);
    return flagSelection(choice, { flag, evaluated });
  }

  /** The flag's own models, and to fall back on the stable ones of the same name, or of the same sport and type. */
  private candidatesOf(bound: string[], { model_id }: Evaluated, scope: Scope): Candidate[] {
    const own = [...new Set(bound)].flatMap((id) => this.known.projection.get(id) ?? []);
    const first = own.find((model) => model.model_id === model_id) ?? own[0];
    if (!first) return [];
    const { name, sport, model_type } = first;
    const others = [...this.store.wanted({ name }, scope), ...(sport === null ? [] : this.store.wanted({ sport, model_type }, scope))];
    const candidates = new Map(own.map((model) => [model.model_id, this.store.candidate(model)]));
    for (const other of others)
      if (other.model.status === 'stable' && !candidates.has(other.model.model_id)) candidates.set(other.model.model_id, other);
    return [...candidates.values()];
  }
}
