import { Controller, Delete, Get, Put } from '@nestjs/common';
import {
  type Evaluator,
  EvaluatorPut,
  EvaluatorRef,
  EvaluatorRemoval,
  type Evaluators,
  getEvaluator,
  listEvaluators,
  putEvaluator,
  removeEvaluator,
} from '#contracts/flag-evaluators.js';
import { NoInput, type Removed } from '#contracts/request.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { Ages, type SayAge } from './ages.decorator.js';
import { By } from './by.decorator.js';
import { KnownFlags } from './known-flags.store.js';
import { Input, Serves } from './serves.decorator.js';

@Controller('flag-evaluators')
export class EvaluatorsController {
  constructor(
    private readonly bus: Bus,
    private readonly known: KnownFlags,
  ) {}

  @Get()
  @Serves({ ...listEvaluators, role: 'viewer', from: 'query', summary: 'What flags’ targeting may refer to' })
  async listEvaluators(@Input() _: NoInput, @Ages() say: SayAge): Promise<Evaluators> {
    say(this.known.evaluators);
    return { evaluators: this.known.allEvaluators() };
  }

  @Get(':name')
  @Serves({ ...getEvaluator, role: 'viewer', path: ['name'], from: 'query', summary: 'One shared evaluator' })
  async getEvaluator(@Input() input: EvaluatorRef, @Ages() say: SayAge, @By() caller: Caller): Promise<Evaluator> {
    say(this.known.evaluators);
    return this.known.evaluators.get(input.name) ?? (await this.bus.ask(getEvaluator, input, caller));
  }

  @Put(':name')
  @Serves({ ...putEvaluator, role: 'releaser', path: ['name'], from: 'body', summary: 'Add or replace a shared evaluator' })
  async putEvaluator(@Input() input: EvaluatorPut, @By() caller: Caller): Promise<Evaluator> {
    const evaluator = await this.bus.ask(putEvaluator, input, caller);
    this.known.evaluators.learn(evaluator);
    return evaluator;
  }

  @Delete(':name')
  @Serves({ ...removeEvaluator, role: 'releaser', path: ['name'], from: 'query', summary: 'Remove a shared evaluator' })
  async removeEvaluator(@Input() input: EvaluatorRemoval, @By() caller: Caller): Promise<Removed> {
    const removed = await this.bus.ask(removeEvaluator, input, caller);
    this.known.evaluators.unlearn(input.name);
    return removed;
  }
}
