import { Controller, Get } from '@nestjs/common';
import { getMetrics, getPerformance, type Metrics, MetricsRequest, ModelHealth } from '#contracts/metrics.js';
import { getModel, ModelRef } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { Input, Serves } from './serves.decorator.js';

@Controller()
export class MetricsController {
  constructor(private readonly bus: Bus) {}

  @Get('registry/:model_id/metrics')
  @Serves({
    ...getMetrics,
    role: 'viewer',
    path: ['model_id'],
    from: 'query',
    summary: 'Get comprehensive performance metrics for a model',
  })
  getMetrics(@Input() input: MetricsRequest): Promise<Metrics> {
    return this.bus.ask(getMetrics, input);
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
  async getHealth(@Input() input: ModelRef): Promise<ModelHealth> {
    const [model, { metrics, health_status, reasons, since }] = await Promise.all([
      this.bus.ask(getModel, input),
      this.bus.ask(getPerformance, input),
    ]);
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
