import { Controller, Get, Post } from '@nestjs/common';
import { type DeadLetter, DeadLetterFilter, listDeadLetters, Replay, type Replayed, replayDeadLetters } from '#contracts/dead-letters.js';
import { type Page } from '#contracts/page.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { By } from './by.decorator.js';
import { Input, Serves } from './serves.decorator.js';

@Controller('dead-letters')
export class DeadLettersController {
  constructor(private readonly bus: Bus) {}

  @Get()
  @Serves({ ...listDeadLetters, role: 'admin', from: 'query', summary: 'Inference events that could not be counted, newest first' })
  listDeadLetters(@Input() input: DeadLetterFilter, @By() caller: Caller): Promise<Page<DeadLetter>> {
    return this.bus.ask(listDeadLetters, input, caller);
  }

  @Post('replay')
  @Serves({ ...replayDeadLetters, role: 'admin', from: 'body', summary: 'Count events again that could not be counted' })
  replayDeadLetters(@Input() input: Replay, @By() caller: Caller): Promise<Replayed> {
    return this.bus.ask(replayDeadLetters, input, caller);
  }
}
