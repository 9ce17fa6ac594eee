import { Controller, Get, Post } from '@nestjs/common';
import {
  type Baseline,
  BaselineFilter,
  BaselinePin,
  BaselineUnpin,
  listBaselines,
  pinBaseline,
  type Unpinned,
  unpinBaseline,
} from '#contracts/baseline.js';
import { type Page } from '#contracts/page.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { By } from './by.decorator.js';
import { Input, Serves } from './serves.decorator.js';

/** What runs are compared with, and by what a difference counts. */
@Controller('validation')
export class BaselinesController {
  constructor(private readonly bus: Bus) {}

  @Get('baselines')
  @Serves({ ...listBaselines, role: 'viewer', from: 'query', summary: 'List baselines' })
  listBaselines(@Input() input: BaselineFilter, @By() caller: Caller): Promise<Page<Baseline>> {
    return this.bus.ask(listBaselines, input, caller);
  }

  @Post('baselines/pin')
  @Serves({ ...pinBaseline, role: 'releaser', from: 'body', summary: 'Make a run the baseline of a case, until it is unpinned' })
  pinBaseline(@Input() input: BaselinePin, @By() caller: Caller): Promise<Baseline> {
    return this.bus.ask(pinBaseline, input, caller);
  }

  @Post('baselines/unpin')
  @Serves({ ...unpinBaseline, role: 'releaser', from: 'body', summary: 'Let a baseline follow the stable version again' })
  unpinBaseline(@Input() input: BaselineUnpin, @By() caller: Caller): Promise<Unpinned> {
    return this.bus.ask(unpinBaseline, input, caller);
  }
}
