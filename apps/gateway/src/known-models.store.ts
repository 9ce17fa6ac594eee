import { Injectable } from '@nestjs/common';
import { inScope } from '#contracts/access.js';
import { modelNotFound } from '#contracts/errors.js';
import { getModel, type Model, modelsView } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { currentCaller } from '#runtime/caller.js';
import { type Followed, Views } from '#runtime/views.js';

/** Which models there are, without a hop: recording an inference must work while the registry is down. */
@Injectable()
export class KnownModels {
  private readonly models: Followed<Model>;

  constructor(
    views: Views,
    private readonly bus: Bus,
  ) {
    this.models = views.follow(modelsView);
  }

  /** What the registry just answered, known here before the view brings it round. */
  learn(model: Model): Model {
    this.models.apply(model);
    return model;
  }

  /** Throws MODEL_NOT_FOUND for a model that is not there or not in the caller's scope; one not known yet is asked for. */
  async require(model_id: string): Promise<void> {
    const known = this.models.get(model_id);
    if (!known) await this.bus.ask(getModel, { model_id });
    else if (!inScope(currentCaller().actor.scope, known)) throw modelNotFound(model_id);
  }
}
