import { Controller, Delete, Get, Patch, Post } from '@nestjs/common';
import { Evaluation, EvaluationRequest } from '#contracts/flag-evaluation.js';
import {
  changeFlag,
  createFlag,
  type Flag,
  FlagChange,
  FlagFilter,
  FlagRef,
  FlagRemoval,
  getFlag,
  listFlags,
  NewFlag,
  removeFlag,
} from '#contracts/flags.js';
import { type Page } from '#contracts/page.js';
import { type Removed } from '#contracts/request.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { Ages, type SayAge } from './ages.decorator.js';
import { By } from './by.decorator.js';
import { KnownFlags } from './known-flags.store.js';
import { Input, Serves } from './serves.decorator.js';

@Controller('flags')
export class FlagsController {
  constructor(
    private readonly bus: Bus,
    private readonly known: KnownFlags,
  ) {}

  @Get()
  @Serves({ ...listFlags, role: 'viewer', from: 'query', summary: 'List feature flags' })
  async listFlags(@Input() input: FlagFilter, @Ages() say: SayAge, @By() caller: Caller): Promise<Page<Flag>> {
    say(this.known.flags);
    return this.known.list(input, caller);
  }

  @Post()
  @Serves({ ...createFlag, role: 'releaser', from: 'body', summary: 'Add a feature flag' })
  async createFlag(@Input() input: NewFlag, @By() caller: Caller): Promise<Flag> {
    return this.known.learn(await this.bus.ask(createFlag, input, caller));
  }

  @Get(':flag_key')
  @Serves({ ...getFlag, role: 'viewer', path: ['flag_key'], from: 'query', summary: 'One feature flag' })
  async getFlag(@Input() { flag_key }: FlagRef, @Ages() say: SayAge, @By() caller: Caller): Promise<Flag> {
    say(this.known.flags);
    return (await this.known.require(flag_key, caller)).flag;
  }

  @Patch(':flag_key')
  @Serves({ ...changeFlag, role: 'releaser', path: ['flag_key'], from: 'body', summary: 'Change a feature flag' })
  async changeFlag(@Input() input: FlagChange, @By() caller: Caller): Promise<Flag> {
    return this.known.learn(await this.bus.ask(changeFlag, input, caller));
  }

  @Delete(':flag_key')
  @Serves({ ...removeFlag, role: 'releaser', path: ['flag_key'], from: 'query', summary: 'Remove a feature flag' })
  async removeFlag(@Input() input: FlagRemoval, @By() caller: Caller): Promise<Removed> {
    const removed = await this.bus.ask(removeFlag, input, caller);
    this.known.unlearn(input.flag_key);
    return removed;
  }

  @Post(':flag_key/evaluate')
  @Serves({
    ...{ input: EvaluationRequest, output: Evaluation, role: 'client', path: ['flag_key'], from: 'body' },
    summary: 'What a flag says for one targeting key',
  })
  async evaluateFlag(
    @Input() { flag_key, targeting_key, context }: EvaluationRequest,
    @Ages() say: SayAge,
    @By() caller: Caller,
  ): Promise<Evaluation> {
    say(this.known.flags, this.known.evaluators);
    const flag = await this.known.require(flag_key, caller);
    return { flag_key, ...flag.evaluate({ ...context, targetingKey: targeting_key }, Date.now()) };
  }
}
