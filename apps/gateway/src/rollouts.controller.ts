import { Controller, Get, Post } from '@nestjs/common';
import { type Page } from '#contracts/page.js';
import {
  analyseRollout,
  listRolloutDecisions,
  type RolloutAnalysis,
  RolloutDecisionsRequest,
  type RolloutSimulation,
  RolloutSimulationRequest,
  simulateRollout,
} from '#contracts/rollout-analysis.js';
import { type RolloutDecision } from '#contracts/rollout-decision.js';
import { NewRollout } from '#contracts/rollout-plan.js';
import {
  abortRollout,
  createRollout,
  getRollout,
  listRollouts,
  pauseRollout,
  promoteRollout,
  resumeRollout,
  Rollout,
  RolloutAction,
  type RolloutChanged,
  RolloutFilter,
  RolloutRef,
} from '#contracts/rollouts.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { By } from './by.decorator.js';
import { KnownFlags } from './known-flags.store.js';
import { KnownModels } from './known-models.store.js';
import { Input, Serves } from './serves.decorator.js';

const path = ['rollout_id'] as const;

@Controller('rollouts')
export class RolloutsController {
  constructor(
    private readonly bus: Bus,
    private readonly flags: KnownFlags,
    private readonly models: KnownModels,
  ) {}

  @Get()
  @Serves({ ...listRollouts, role: 'viewer', from: 'query', summary: 'List rollouts, newest first' })
  listRollouts(@Input() input: RolloutFilter, @By() caller: Caller): Promise<Page<Rollout>> {
    return this.bus.ask(listRollouts, input, caller);
  }

  @Post()
  @Serves({
    ...createRollout,
    output: Rollout,
    role: 'releaser',
    from: 'body',
    summary: 'Put a candidate on canary, to take over step by step',
  })
  async createRollout(@Input() input: NewRollout, @By() caller: Caller): Promise<Rollout> {
    return this.learn(await this.bus.ask(createRollout, input, caller));
  }

  @Get(':rollout_id')
  @Serves({ ...getRollout, role: 'viewer', path: [...path], from: 'query', summary: 'One rollout' })
  getRollout(@Input() input: RolloutRef, @By() caller: Caller): Promise<Rollout> {
    return this.bus.ask(getRollout, input, caller);
  }

  @Post(':rollout_id/pause')
  @Serves({
    ...pauseRollout,
    output: Rollout,
    role: 'releaser',
    path: [...path],
    from: 'body',
    summary: 'Do not advance; guardrails are watched on',
  })
  async pauseRollout(@Input() input: RolloutAction, @By() caller: Caller): Promise<Rollout> {
    return this.learn(await this.bus.ask(pauseRollout, input, caller));
  }

  @Post(':rollout_id/resume')
  @Serves({ ...resumeRollout, output: Rollout, role: 'releaser', path: [...path], from: 'body', summary: 'Go on with a paused rollout' })
  async resumeRollout(@Input() input: RolloutAction, @By() caller: Caller): Promise<Rollout> {
    return this.learn(await this.bus.ask(resumeRollout, input, caller));
  }

  @Post(':rollout_id/promote')
  @Serves({
    ...promoteRollout,
    output: Rollout,
    role: 'releaser',
    path: [...path],
    from: 'body',
    summary: 'One step further, without waiting for evidence',
  })
  async promoteRollout(@Input() input: RolloutAction, @By() caller: Caller): Promise<Rollout> {
    return this.learn(await this.bus.ask(promoteRollout, input, caller));
  }

  @Post(':rollout_id/abort')
  @Serves({
    ...abortRollout,
    output: Rollout,
    role: 'releaser',
    path: [...path],
    from: 'body',
    summary: 'All traffic back to the control, at once',
  })
  async abortRollout(@Input() input: RolloutAction, @By() caller: Caller): Promise<Rollout> {
    return this.learn(await this.bus.ask(abortRollout, input, caller));
  }

  @Get(':rollout_id/decisions')
  @Serves({
    ...listRolloutDecisions,
    role: 'viewer',
    path: [...path],
    from: 'query',
    summary: 'What each tick was decided by, newest first',
  })
  listDecisions(@Input() input: RolloutDecisionsRequest, @By() caller: Caller): Promise<Page<RolloutDecision>> {
    return this.bus.ask(listRolloutDecisions, input, caller);
  }

  @Get(':rollout_id/analysis')
  @Serves({ ...analyseRollout, role: 'viewer', path: [...path], from: 'query', summary: 'How candidate and control compare' })
  analyse(@Input() input: RolloutRef, @By() caller: Caller): Promise<RolloutAnalysis> {
    return this.bus.ask(analyseRollout, input, caller);
  }

  @Post(':rollout_id/simulate')
  @Serves({ ...simulateRollout, role: 'viewer', path: [...path], from: 'body', summary: 'The stored ticks, judged by other margins' })
  simulate(@Input() input: RolloutSimulationRequest, @By() caller: Caller): Promise<RolloutSimulation> {
    return this.bus.ask(simulateRollout, input, caller);
  }

  /** Whoever made the change sees all of it in the next answer. */
  private learn({ rollout, flag, models }: RolloutChanged): Rollout {
    if (flag) this.flags.learn(flag);
    for (const model of models) this.models.learn(model);
    return rollout;
  }
}
