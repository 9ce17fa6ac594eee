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
import { Input, Serves } from './serves.decorator.js';

@Controller('flag-evaluators')
export class EvaluatorsController {
  constructor(private readonly bus: Bus) {}

  @Get()
  @Serves({ ...listEvaluators, role: 'viewer', from: 'query', summary: 'What flags’ targeting may refer to' })
  listEvaluators(@Input() input: NoInput): Promise<Evaluators> {
    return this.bus.ask(listEvaluators, input);
  }

  @Get(':name')
  @Serves({ ...getEvaluator, role: 'viewer', path: ['name'], from: 'query', summary: 'One shared evaluator' })
  getEvaluator(@Input() input: EvaluatorRef): Promise<Evaluator> {
    return this.bus.ask(getEvaluator, input);
  }

  @Put(':name')
  @Serves({ ...putEvaluator, role: 'releaser', path: ['name'], from: 'body', summary: 'Add or replace a shared evaluator' })
  putEvaluator(@Input() input: EvaluatorPut): Promise<Evaluator> {
    return this.bus.ask(putEvaluator, input);
  }

  @Delete(':name')
  @Serves({ ...removeEvaluator, role: 'releaser', path: ['name'], from: 'query', summary: 'Remove a shared evaluator' })
  removeEvaluator(@Input() input: EvaluatorRemoval): Promise<Removed> {
    return this.bus.ask(removeEvaluator, input);
  }
}
