import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, RouterModule } from '@nestjs/core';
import { AccessController } from './access.controller.js';
import { AlertsController } from './alerts.controller.js';
import { BaselinesController } from './baselines.controller.js';
import { ApiDescription, DocsController } from './docs.controller.js';
import { DataSetsController } from './data-sets.controller.js';
import { DeadLettersController } from './dead-letters.controller.js';
import { EvaluatorsController } from './evaluators.controller.js';
import { Figures } from './figures.store.js';
import { FlagDocumentsController } from './flag-documents.controller.js';
import { FlagsController } from './flags.controller.js';
import { RolloutsController } from './rollouts.controller.js';
import { GatewayConfig } from './gateway.config.js';
import { HttpErrorFilter } from './http-errors.filter.js';
import { IdempotencyStore } from './idempotency.store.js';
import { InferenceController } from './inference.controller.js';
import { InferencePublisher } from './inference.publisher.js';
import { KeyUses } from './key-use.store.js';
import { KeyGuard } from './key.guard.js';
import { KnownFlags } from './known-flags.store.js';
import { KnownModels } from './known-models.store.js';
import { MetricsController } from './metrics.controller.js';
import { Limits } from './limits/limits.store.js';
import { ModelsController } from './models.controller.js';
import { Tokens } from './oidc/tokens.store.js';
import { Cors } from './ofrep/cors.js';
import { FlagStreams } from './ofrep/flag-streams.store.js';
import { OfrepController } from './ofrep/ofrep.controller.js';
import { PoliciesController } from './policies.controller.js';
import { prefix } from './prefix.js';
import { RootController } from './root.controller.js';
import { SelectionController } from './selection.controller.js';
import { SelectionStore } from './selection.store.js';
import { ValidationController } from './validation.controller.js';
import { WindowsController } from './windows.controller.js';
import { WebhooksController } from './webhooks.controller.js';

/** The REST surface under the prefix. */
@Module({})
class SurfaceModule {
  static with(config: GatewayConfig): DynamicModule {
    return {
      module: SurfaceModule,
      controllers: [
        ModelsController,
        PoliciesController,
        MetricsController,
        InferenceController,
        WindowsController,
        DeadLettersController,
        ValidationController,
        DataSetsController,
        BaselinesController,
        FlagsController,
        EvaluatorsController,
        FlagDocumentsController,
        RolloutsController,
        SelectionController,
        AlertsController,
        WebhooksController,
        AccessController,
      ],
      providers: [
        { provide: GatewayConfig, useValue: config },
        KeyGuard,
        KeyUses,
        Limits,
        Tokens,
        { provide: APP_GUARD, useExisting: KeyGuard },
        { provide: APP_FILTER, useClass: HttpErrorFilter },
        KnownModels,
        KnownFlags,
        Figures,
        SelectionStore,
        InferencePublisher,
        IdempotencyStore,
      ],
      exports: [GatewayConfig, KeyGuard, KnownFlags],
    };
  }
}

@Module({})
export class GatewayModule {
  static with(config: GatewayConfig): DynamicModule {
    return {
      module: GatewayModule,
      imports: [SurfaceModule.with(config), RouterModule.register([{ path: prefix, module: SurfaceModule }])],
      controllers: [RootController, DocsController, OfrepController],
      providers: [ApiDescription, FlagStreams, { provide: Cors, useValue: new Cors(config.corsOrigins) }],
    };
  }
}
