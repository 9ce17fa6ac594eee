import { Controller, Get } from '@nestjs/common';
import { getMetrics, type Metrics, MetricsRequest, ModelHealth } from '#contracts/metrics.js';
import { ModelRef } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { Ages, type SayAge } from './ages.decorator.js';
import { By } from './by.decorator.js';
import { Figures } from './figures.store.js';
import { KnownModels } from './known-models.store.js';
import { Input, Serves } from './serves.decorator.js';

@Controller()
export class MetricsController {
  constructor(
    private readonly bus: Bus,
    private readonly known: KnownModels,
    private readonly figures: Figures,
  ) {}

  @Get('registry/:model_id/metrics')
  @Serves({
    ...getMetrics,
    role: 'viewer',
    path: ['model_id'],
    from: 'query',
    summary: 'Get comprehensive performance metrics for a model',
  })
  async getMetrics(@Input() input: MetricsRequest, @Ages() say: SayAge, @By() caller: Caller): Promise<Metrics> {
    if (Object.keys(input).length > 1) return this.bus.ask(getMetrics, input, caller);
    const { model_id } = await this.known.require(input.model_id, caller);
    return this.figures.metricsOf(model_id, caller, say);
  }

  @Get('registry/:model_id/health')
  @Serves({
    input: ModelRef,
    output: ModelHealth,
    role: 'viewer',
    path: ['model_id'],
    from: 'query',
    summary: 'Get comprehensive health status for a model',
  })
  async getHealth(@Input() { model_id }: ModelRef, @Ages() say: SayAge, @By() caller: Caller): Promise<ModelHealth> {
    const model = await this.known.require(model_id, caller);
    const { metrics, health_status, reasons, since } = await this.figures.performanceOf(model_id, caller, say);
    return {
      model_id: model.model_id,
      name: model.name,
      version: model.version,
      status: model.status,
      health_status,
      total_inferences: metrics.total_inferences,
      success_rate: metrics.success_rate,
      average_timing_ms: metrics.average_timing_ms,
      percentiles: metrics.percentiles,
      error_types: metrics.error_types,
      last_updated: metrics.last_updated,
      reasons,
      since,
    };
  }
}
