import { Controller, Get, Patch, Post } from '@nestjs/common';
import { type AuditEntry } from '#contracts/audit.js';
import { type Page } from '#contracts/page.js';
import {
  changeModel,
  changeStatus,
  getModel,
  listModels,
  Model,
  ModelChange,
  ModelFilter,
  modelHistory,
  ModelHistoryRequest,
  ModelRef,
  modelStatuses,
  modelTypes,
  NewModel,
  registerModel,
  type RetentionResult,
  RetentionRequest,
  runRetention,
  StatusChange,
  Types,
} from '#contracts/registry.js';
import { getTransitions, type ModelTransitions } from '#contracts/promotion.js';
import { NoInput } from '#contracts/request.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { Ages, type SayAge } from './ages.decorator.js';
import { By } from './by.decorator.js';
import { KnownModels } from './known-models.store.js';
import { Input, Serves } from './serves.decorator.js';

@Controller()
export class ModelsController {
  constructor(
    private readonly bus: Bus,
    private readonly known: KnownModels,
  ) {}

  @Get('registry')
  @Serves({ ...listModels, role: 'viewer', from: 'query', summary: 'List all registered models with optional filtering' })
  async listModels(@Input() input: ModelFilter, @Ages() say: SayAge, @By() caller: Caller): Promise<Page<Model>> {
    say(this.known.projection);
    return this.known.list(input, caller);
  }

  @Post('registry')
  @Serves({ ...registerModel, role: 'editor', from: 'body', summary: 'Register a model version; it starts in `development`' })
  async registerModel(@Input() input: NewModel, @By() caller: Caller): Promise<Model> {
    return this.known.learn(await this.bus.ask(registerModel, input, caller));
  }

  @Get('registry/:model_id')
  @Serves({ ...getModel, role: 'viewer', path: ['model_id'], from: 'query', summary: 'Get detailed information about a specific model' })
  getModel(@Input() input: ModelRef, @Ages() say: SayAge, @By() caller: Caller): Model | Promise<Model> {
    say(this.known.projection);
    return this.known.inView(input.model_id, caller) ?? this.known.require(input.model_id, caller);
  }

  @Patch('registry/:model_id')
  @Serves({ ...changeModel, role: 'editor', path: ['model_id'], from: 'body', summary: 'Change what may change of a model' })
  async changeModel(@Input() input: ModelChange, @By() caller: Caller): Promise<Model> {
    return this.known.learn(await this.bus.ask(changeModel, input, caller));
  }

  @Post('registry/:model_id/status')
  @Serves({
    ...changeStatus,
    output: Model,
    role: 'releaser',
    path: ['model_id'],
    from: 'body',
    summary: 'Move a model to another status',
  })
  async changeStatus(@Input() input: StatusChange, @By() caller: Caller): Promise<Model> {
    const { model, replaced } = await this.bus.ask(changeStatus, input, caller);
    if (replaced) this.known.learn(replaced);
    return this.known.learn(model);
  }

  @Get('registry/:model_id/transitions')
  @Serves({
    ...getTransitions,
    role: 'viewer',
    path: ['model_id'],
    from: 'query',
    summary: 'Where a model can go from its status, and what is not met for it',
  })
  getTransitions(@Input() input: ModelRef, @By() caller: Caller): Promise<ModelTransitions> {
    return this.bus.ask(getTransitions, input, caller);
  }

  @Get('registry/:model_id/history')
  @Serves({ ...modelHistory, role: 'viewer', path: ['model_id'], from: 'query', summary: 'Every change of a model, newest first' })
  modelHistory(@Input() input: ModelHistoryRequest, @By() caller: Caller): Promise<Page<AuditEntry>> {
    return this.bus.ask(modelHistory, input, caller);
  }

  @Get('types')
  @Serves({ input: NoInput, output: Types, role: 'viewer', from: 'query', summary: 'Get available model types and statuses' })
  async getTypes(@Input() _: NoInput): Promise<Types> {
    return { model_types: [...modelTypes], model_statuses: [...modelStatuses] };
  }

  @Post('retention')
  @Serves({ ...runRetention, role: 'admin', from: 'query', summary: 'Remove retired models whose retention is over, or list them' })
  async runRetention(@Input() input: RetentionRequest, @By() caller: Caller): Promise<RetentionResult> {
    const result = await this.bus.ask(runRetention, input, caller);
    if (!result.dry_run) for (const { model_id } of result.models) this.known.unlearn(model_id);
    return result;
  }
}
