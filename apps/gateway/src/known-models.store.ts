import { Injectable } from '@nestjs/common';
import { inScope } from '#contracts/access.js';
import { modelNotFound, serviceUnavailable } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { getModel, type Model, type ModelFilter, modelsView } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { type Followed } from '#runtime/followed.js';
import { Views } from '#runtime/views.js';
import { VisibleRecords } from '#runtime/visible-records.js';
import { ModelList } from './model-list.js';

/** Which models there are, as the caller may see them: reads, and recording an inference, must work while the registry is down. */
@Injectable()
export class KnownModels extends VisibleRecords<Model> {
  readonly projection: Followed<Model>;
  private readonly ordered = new ModelList();

  constructor(views: Views, bus: Bus) {
    const records = views.follow(modelsView);
    super({ records, ask: (model_id, caller) => bus.ask(getModel, { model_id }, caller), inScope, absent: modelNotFound });
    this.projection = records;
    records.onChange({
      put: (model, before) => {
        if (before) this.ordered.remove(before);
        this.ordered.add(model);
      },
      removed: (model) => this.ordered.remove(model),
    });
  }

  /** Whether it is known without asking the registry. */
  has(model_id: string): boolean {
    return this.projection.get(model_id) !== undefined;
  }

  /** Throws SERVICE_UNAVAILABLE before all models are known. */
  list(filter: ModelFilter, { actor }: Caller): Page<Model> {
    if (!this.projection.ready) throw serviceUnavailable('registry');
    return this.ordered.page(filter, actor.scope);
  }

  /** What the registry just answered, known here before the view brings it round. */
  learn(model: Model): Model {
    this.projection.learn(model);
    return model;
  }

  /** The registry just answered that it has removed this model. */
  unlearn(model_id: string): void {
    this.projection.unlearn(model_id);
  }
}
