import { type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestFastifyApplication } from '@nestjs/platform-fastify';
import { listenAt } from '#runtime/listen.js';
import { Logger } from '#runtime/logger.js';
import { ProbeServer, Readiness } from '#runtime/probes.js';
import { layFoundation, type Running, RuntimeModule } from '#runtime/service.js';
import { Telemetry } from '#runtime/telemetry.js';
import { Tracing } from '#runtime/tracing.js';
import { admission } from './admission.provider.js';
import { assertRolesDeclared } from './declared-routes.check.js';
import { ApiDescription } from './docs.controller.js';
import { assertTokensAreComplete, type GatewayConfig } from './gateway.config.js';
import { GatewayModule } from './gateway.module.js';
import { httpAdapter } from './http.adapter.js';
import { ofrepRoutes } from './ofrep/ofrep-routes.provider.js';
import { describeApi } from './openapi.document.js';
import { servedRoutes } from './served-routes.provider.js';

export interface RunningGateway extends Running {
  port: number;
  app: NestFastifyApplication;
}

/**
 * Starts the REST surface, which listens as soon as NATS is there and is ready once all its projections are whole. While NATS is awaited the
 * same port answers the probes.
 */
export async function startGateway(config: GatewayConfig): Promise<RunningGateway> {
  assertTokensAreComplete(config);
  const logger = Logger.create('gateway', config.LOG_LEVEL);
  const telemetry = new Telemetry('gateway');
  telemetry.tracing = await Tracing.start('gateway', config, logger);
  const readiness = new Readiness();
  const { HOST, PORT } = config;
  const listening = <Listening>(listen: () => Promise<Listening>): Promise<Listening> => listenAt([HOST, 'HOST'], [PORT, 'PORT'], listen);
  const probes = await listening(() => ProbeServer.listen(HOST, PORT, readiness, telemetry));
  const foundation = await layFoundation('gateway', config, logger, telemetry, readiness);
  // Without NATS it goes on answering from its projections. Were it not ready then, all gateways would be taken out of service at once.
  readiness.remove('nats');

  @Module({})
  class Gateway {
    static whole(): DynamicModule {
      return { module: Gateway, imports: [RuntimeModule.of(foundation), GatewayModule.with(config)] };
    }
  }

  const adapter = httpAdapter(logger, telemetry, config);
  const app = await NestFactory.create<NestFastifyApplication>(Gateway.whole(), adapter, {
    logger,
    abortOnError: false,
    bodyParser: false,
  });
  assertRolesDeclared(app);
  const [served, ofrep] = [servedRoutes(app, logger), ofrepRoutes(app, logger)];
  adapter.served = (handler) => served(handler) ?? ofrep(handler);
  app.getHttpAdapter().getInstance().addHook('onRequest', admission(app, logger));
  await app.init();
  app.get(ApiDescription).document = describeApi(app);
  await probes.close();
  await listening(() => app.listen({ port: PORT, host: HOST, backlog }));
  readiness.started();
  const { port } = app.getHttpServer().address() as AddressInfo;
  logger.info('ready', { port });
  return {
    app,
    port,
    async close() {
      readiness.stopping();
      adapter.phase = 'draining';
      await drained(app.getHttpServer(), config.DRAIN_SECONDS);
      await app.close();
      await foundation.nats.close();
      await telemetry.tracing?.close();
    },
  };
}

/** Connections that wait to be taken. What comes beyond them is tried again by the client's kernel, after 1, 3 and 7 s; the system's own bound may be lower. */
const backlog = 4_096;

const lookEveryMs = 100;

/** Until nobody is connected any more, `seconds` at most. */
async function drained(server: Server, seconds: number): Promise<void> {
  const open = promisify(server.getConnections.bind(server));
  for (const until = Date.now() + seconds * 1_000; Date.now() < until && (await open()) > 0;)
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
}
