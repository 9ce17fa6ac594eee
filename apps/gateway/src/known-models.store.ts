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

  /** The registry is asked about it until the view brings it. */
  doubt(model_id: string): void {
    this.models.doubt(model_id);
  }

  /** What the registry just answered, known here before the view brings it round. */
  learn(model: Model): Model {
    this.models.learn(model);
    if (model.status !== 'stable') return model;
    // There is one stable version of a name: another one was deprecated with this change.
    for (const { model_id, name, status } of this.models.values())
      if (name === model.name && status === 'stable' && model_id !== model.model_id) this.models.doubt(model_id);
    return model;
  }
}
