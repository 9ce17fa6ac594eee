import { Controller, Delete, Get, Patch, Post } from '@nestjs/common';
import {
  changeFlag,
  createFlag,
  evaluateFlag,
  type Evaluation,
  EvaluationRequest,
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
import { Input, Serves } from './serves.decorator.js';

@Controller('flags')
export class FlagsController {
  constructor(private readonly bus: Bus) {}

  @Get()
  @Serves({ ...listFlags, role: 'viewer', from: 'query', summary: 'List feature flags' })
  listFlags(@Input() input: FlagFilter): Promise<Page<Flag>> {
    return this.bus.ask(listFlags, input);
  }

  @Post()
  @Serves({ ...createFlag, role: 'releaser', from: 'body', summary: 'Add a feature flag' })
  createFlag(@Input() input: NewFlag): Promise<Flag> {
    return this.bus.ask(createFlag, input);
  }

  @Get(':flag_key')
  @Serves({ ...getFlag, role: 'viewer', path: ['flag_key'], from: 'query', summary: 'One feature flag' })
  getFlag(@Input() input: FlagRef): Promise<Flag> {
    return this.bus.ask(getFlag, input);
  }

  @Patch(':flag_key')
  @Serves({ ...changeFlag, role: 'releaser', path: ['flag_key'], from: 'body', summary: 'Change a feature flag' })
  changeFlag(@Input() input: FlagChange): Promise<Flag> {
    return this.bus.ask(changeFlag, input);
  }

  @Delete(':flag_key')
  @Serves({ ...removeFlag, role: 'releaser', path: ['flag_key'], from: 'query', summary: 'Remove a feature flag' })
  removeFlag(@Input() input: FlagRemoval): Promise<Removed> {
    return this.bus.ask(removeFlag, input);
  }

  @Post(':flag_key/evaluate')
  @Serves({ ...evaluateFlag, role: 'client', path: ['flag_key'], from: 'body', summary: 'What a flag says for one targeting key' })
  evaluateFlag(@Input() input: EvaluationRequest): Promise<Evaluation> {
    return this.bus.ask(evaluateFlag, input);
  }
}
