import { type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { Bus } from './bus.js';
import { type ProcessConfig, type ServiceConfig } from './config.js';
import { RpcErrorFilter } from './errors.filter.js';
import { listenAt } from './listen.js';
import { Logger } from './logger.js';
import { Nats } from './nats.js';
import { NatsServer } from './nats.server.js';
import { ProbeServer, Readiness } from './probes.js';
import { Telemetry } from './telemetry.js';
import { Tracing } from './tracing.js';
import { Views } from './views.js';

/** What every process has: made before Nest starts, since probes must answer while NATS or PostgreSQL is still awaited. */
export interface Foundation {
  logger: Logger;
  telemetry: Telemetry;
  readiness: Readiness;
  nats: Nats;
}

/** The foundation as injectable parts, for all modules of the process. */
@Global()
@Module({})
export class RuntimeModule {
  static of({ logger, telemetry, readiness, nats }: Foundation): DynamicModule {
    return {
      module: RuntimeModule,
      providers: [
        { provide: Logger, useValue: logger },
        { provide: Telemetry, useValue: telemetry },
        { provide: Readiness, useValue: readiness },
        { provide: Nats, useValue: nats },
        Bus,
        Views,
      ],
      exports: [Logger, Telemetry, Readiness, Nats, Bus, Views],
    };
  }
}

export async function layFoundation(
  service: string,
  config: ProcessConfig,
  logger: Logger,
  telemetry: Telemetry,
  readiness: Readiness,
): Promise<Foundation> {
  readiness.add('nats', () => {
    throw new Error('not connected yet');
  });
  const nats = await Nats.connect(service, config, logger);
  readiness.add('nats', () => {
    if (!nats.connected) throw new Error('not connected');
  });
  telemetry.gauge('emr_nats_connected', 'Whether this process is connected to NATS.', () => [
    { labels: {}, value: nats.connected ? 1 : 0 },
  ]);
  return { logger, telemetry, readiness, nats };
}

export interface Running {
  /** Finishes what is in hand, then stops. */
  close(): Promise<void>;
}

export interface RunningService extends Running {
  probe_port: number;
}

/** Starts a service that answers over NATS; its only HTTP are the probes. */
export async function startService(name: string, module: Type | DynamicModule, config: ServiceConfig): Promise<RunningService> {
  const logger = Logger.create(name, config.LOG_LEVEL);
  const telemetry = new Telemetry(name);
  telemetry.tracing = await Tracing.start(name, config, logger);
  const readiness = new Readiness();
  const { PROBE_HOST, PROBE_PORT } = config;
  const probes = await listenAt([PROBE_HOST, 'PROBE_HOST'], [PROBE_PORT, 'PROBE_PORT'], () =>
    ProbeServer.listen(PROBE_HOST, PROBE_PORT, readiness, telemetry),
  );
  try {
    const foundation = await layFoundation(name, config, logger, telemetry, readiness);

    @Module({ imports: [RuntimeModule.of(foundation), module], providers: [{ provide: APP_FILTER, useClass: RpcErrorFilter }] })
    class Service {}

    const app = await NestFactory.createMicroservice(Service, {
      strategy: new NatsServer(name, foundation.nats, telemetry, logger),
      logger,
      abortOnError: false,
    });
    await app.listen();
    readiness.started();
    logger.info('ready', { probe_port: probes.port });
    return {
      probe_port: probes.port,
      async close() {
        readiness.stopping();
        await app.close();
        await foundation.nats.close();
        await telemetry.tracing?.close();
        await probes.close();
      },
    };
  } catch (error) {
    await probes.close();
    throw error;
  }
}
