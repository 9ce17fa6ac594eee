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
import { Ages, type SayAge } from './ages.decorator.js';
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
  async listModels(@Input() input: ModelFilter, @Ages() say: SayAge): Promise<Page<Model>> {
    say(this.known.projection);
    return this.known.list(input);
  }

  @Post('registry')
  @Serves({ ...registerModel, role: 'editor', from: 'body', summary: 'Register a model version; it starts in `development`' })
  async registerModel(@Input() input: NewModel): Promise<Model> {
    return this.known.learn(await this.bus.ask(registerModel, input));
  }

  @Get('registry/:model_id')
  @Serves({ ...getModel, role: 'viewer', path: ['model_id'], from: 'query', summary: 'Get detailed information about a specific model' })
  getModel(@Input() input: ModelRef, @Ages() say: SayAge): Model | Promise<Model> {
    say(this.known.projection);
    return this.known.inView(input.model_id) ?? this.known.require(input.model_id);
  }

  @Patch('registry/:model_id')
  @Serves({ ...changeModel, role: 'editor', path: ['model_id'], from: 'body', summary: 'Change what may change of a model' })
  async changeModel(@Input() input: ModelChange): Promise<Model> {
    return this.known.learn(await this.bus.ask(changeModel, input));
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
  async changeStatus(@Input() input: StatusChange): Promise<Model> {
    const { model, replaced } = await this.bus.ask(changeStatus, input);
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
  getTransitions(@Input() input: ModelRef): Promise<ModelTransitions> {
    return this.bus.ask(getTransitions, input);
  }

  @Get('registry/:model_id/history')
  @Serves({ ...modelHistory, role: 'viewer', path: ['model_id'], from: 'query', summary: 'Every change of a model, newest first' })
  modelHistory(@Input() input: ModelHistoryRequest): Promise<Page<AuditEntry>> {
    return this.bus.ask(modelHistory, input);
  }

  @Get('types')
  @Serves({ input: NoInput, output: Types, role: 'viewer', from: 'query', summary: 'Get available model types and statuses' })
  async getTypes(@Input() _: NoInput): Promise<Types> {
    return { model_types: [...modelTypes], model_statuses: [...modelStatuses] };
  }

  @Post('retention')
  @Serves({ ...runRetention, role: 'admin', from: 'query', summary: 'Remove retired models whose retention is over, or list them' })
  async runRetention(@Input() input: RetentionRequest): Promise<RetentionResult> {
    const result = await this.bus.ask(runRetention, input);
    if (!result.dry_run) for (const { model_id } of result.models) this.known.unlearn(model_id);
    return result;
  }
}
