import { Controller, Get } from '@nestjs/common';
import { type Arms, ArmsRequest, getArms, getSeries, type Series, SeriesRequest } from '#contracts/metrics.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { By } from './by.decorator.js';
import { Input, Serves } from './serves.decorator.js';

@Controller('registry/:model_id/metrics')
export class WindowsController {
  constructor(private readonly bus: Bus) {}

  @Get('series')
  @Serves({ ...getSeries, role: 'viewer', path: ['model_id'], from: 'query', summary: 'Metrics step by step, for charts' })
  getSeries(@Input() input: SeriesRequest, @By() caller: Caller): Promise<Series> {
    return this.bus.ask(getSeries, input, caller);
  }

  @Get('arms')
  @Serves({
    ...getArms,
    role: 'viewer',
    path: ['model_id'],
    from: 'query',
    summary: 'Metrics by the variants of flags that directed inferences here',
  })
  getArms(@Input() input: ArmsRequest, @By() caller: Caller): Promise<Arms> {
    return this.bus.ask(getArms, input, caller);
  }
}
