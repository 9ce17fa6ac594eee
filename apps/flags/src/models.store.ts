import { Injectable } from '@nestjs/common';
import { getModel, type Model, modelsView } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { type Followed } from '#runtime/followed.js';
import { Views } from '#runtime/views.js';
import { isAbsent } from '#runtime/visible-records.js';
import { FlagBindings } from './flag-bindings.store.js';
import { isLive } from './selection/pool.js';
import { ModelStates } from './selection/model-states.store.js';

/** Which models there are. What this service keeps of a removed one is deleted. */
@Injectable()
export class ModelsStore {
  private readonly models: Followed<Model>;

  constructor(views: Views, bus: Bus, bindings: FlagBindings, states: ModelStates) {
    const keepers = [bindings, states];
    this.models = views.follow(modelsView, {
      removed: async (model_id) => {
        for (const keeper of keepers) await keeper.forget(model_id);
      },
      leftovers: {
        held: async () => [...new Set((await Promise.all(keepers.map((keeper) => keeper.held()))).flat())],
        isGone: (model_id) => isAbsent((caller) => bus.ask(getModel, { model_id }, caller), 'MODEL_NOT_FOUND'),
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
}
