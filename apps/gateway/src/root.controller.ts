import { Controller, Get, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { type FastifyReply } from 'fastify';
import { Readiness, type ReadinessReport } from '#runtime/probes.js';
import { Telemetry } from '#runtime/telemetry.js';
import { Public } from './serves.decorator.js';

/** What Kubernetes and Prometheus ask; outside the prefix, so that an ingress need not show it to the world. */
@ApiExcludeController()
@Controller()
export class RootController {
  constructor(
    private readonly readiness: Readiness,
    private readonly telemetry: Telemetry,
  ) {}

  @Get('livez')
  @Public()
  livez(): { live: boolean } {
    return { live: true };
  }

  @Get('readyz')
  @Public()
  async readyz(@Res({ passthrough: true }) reply: FastifyReply): Promise<ReadinessReport> {
    const report = await this.readiness.report();
    reply.code(report.ready ? 200 : 503);
    return report;
  }

  @Get('metrics')
  @Public()
  async metrics(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    reply.type(this.telemetry.registry.contentType);
    return this.telemetry.registry.metrics();
  }
}
