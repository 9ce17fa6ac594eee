import { Injectable } from '@nestjs/common';
import { inScope } from '#contracts/access.js';
import { modelNotFound } from '#contracts/errors.js';
import { getModel, type Model, modelsView } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { type Followed, Views } from '#runtime/views.js';
import { VisibleRecords } from '#runtime/visible-records.js';

/** Which models there are: recording an inference must work while the registry is down. */
@Injectable()
export class KnownModels extends VisibleRecords<Model> {
  private readonly models: Followed<Model>;

  constructor(views: Views, bus: Bus) {
    const records = views.follow(modelsView);
    super({ records, ask: (model_id) => bus.ask(getModel, { model_id }), inScope, absent: modelNotFound });
    this.models = records;
  }

  /** Whether it is known without asking the registry. */
  has(model_id: string): boolean {
    return this.models.get(model_id) !== undefined;
  }

  /** What the registry just answered, known here before the view brings it round. */
  learn(model: Model): Model {
    this.models.learn(model);
    return model;
  }
}
