import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { getModel, type Model, modelsView } from '#contracts/registry.js';
import { breakersView } from '#contracts/selection.js';
import { Bus } from '#runtime/bus.js';
import { Outbox } from '#runtime/outbox.js';
import { type Followed, Views } from '#runtime/views.js';
import { isAbsent } from '#runtime/visible-records.js';
import { isLive } from './pool.js';
import { ModelStateEntity } from './selection.entity.js';

/** Which models there are. What is known of a removed one is deleted. */
@Injectable()
export class ModelsStore {
  private readonly models: Followed<Model>;

  constructor(
    views: Views,
    bus: Bus,
    private readonly database: DataSource,
    private readonly outbox: Outbox,
  ) {
    this.models = views.follow(modelsView, {
      removed: (model_id) => this.forget(model_id),
      leftovers: {
        held: async () => (await database.manager.find(ModelStateEntity, { select: { model_id: true } })).map(({ model_id }) => model_id),
        isGone: (model_id) => isAbsent(() => bus.ask(getModel, { model_id }), 'MODEL_NOT_FOUND'),
      },
    });
  }

  find(model_id: string): Model | undefined {
    return this.models.get(model_id);
  }

  all(): IterableIterator<Model> {
    return this.models.values();
  }

  /** Those that anybody can be served by. */
  live(): Model[] {
    return [...this.models.values()].filter(isLive);
  }

  private async forget(model_id: string): Promise<void> {
    await this.database.transaction(async (manager) => {
      const { affected } = await manager.delete(ModelStateEntity, { model_id });
      if (affected) await this.outbox.remove(manager, breakersView, model_id);
    });
    this.outbox.flush();
  }
}
