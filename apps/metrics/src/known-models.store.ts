import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { inScope } from '#contracts/access.js';
import { AppError, modelNotFound } from '#contracts/errors.js';
import { getModel, type Model, modelsView } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { type Caller, system } from '#runtime/caller.js';
import { type Followed } from '#runtime/followed.js';
import { Views } from '#runtime/views.js';
import { isAbsent, VisibleRecords } from '#runtime/visible-records.js';
import { awaitEvaluation } from './health/turn.store.js';
import { type Existence } from './ingest/count-batch.js';

const askedAtOnce = 50;

const tablesOfModels = ['model_window', 'model_health', 'alerts'];

export const removeModel = (database: DataSource, model_id: string): Promise<void> =>
  database.transaction(async (manager) => {
    await awaitEvaluation(manager);
    // It waits for a fold of the model's minutes, and finds what they were folded into only when it looks again.
    await manager.query('DELETE FROM metrics.model_window WHERE model_id = $1', [model_id]);
    for (const table of tablesOfModels) await manager.query(`DELETE FROM metrics.${table} WHERE model_id = $1`, [model_id]);
  });

/** Which models there are. What was counted, judged and told of a removed one is deleted. */
@Injectable()
export class KnownModels extends VisibleRecords<Model> {
  private readonly models: Followed<Model>;

  constructor(
    views: Views,
    private readonly bus: Bus,
    database: DataSource,
  ) {
    const ask = (model_id: string, caller: Caller): Promise<Model> => bus.ask(getModel, { model_id }, caller);
    const records = views.follow(modelsView, {
      removed: (model_id) => removeModel(database, model_id),
      leftovers: {
        held: async () => {
          const rows = await database.query<{ model_id: string }[]>(`SELECT DISTINCT model_id FROM metrics.model_window WHERE NOT folded`);
          return rows.map(({ model_id }) => model_id);
        },
        isGone: (model_id) => isAbsent((caller) => ask(model_id, caller), 'MODEL_NOT_FOUND'),
      },
    });
    super({ records, ask, inScope, absent: modelNotFound });
    this.models = records;
  }

  /** The model, whoever asks; undefined also without an id. */
  find(model_id: string | null | undefined): Model | undefined {
    return model_id ? this.models.get(model_id) : undefined;
  }

  /** Whether `all` was everything there is, once. */
  get areComplete(): boolean {
    return this.models.ready;
  }

  /** Every model, whoever asks. */
  all(): IterableIterator<Model> {
    return this.models.values();
  }

  /** Of each model whether it exists, whoever may see it. The registry is asked only for what the view does not know. */
  async existence(model_ids: string[]): Promise<Map<string, Existence>> {
    const found = new Map<string, Existence>();
    const unknown: string[] = [];
    for (const id of model_ids) {
      if (this.models.get(id)) found.set(id, 'known');
      else unknown.push(id);
    }
    for (let at = 0; at < unknown.length; at += askedAtOnce) {
      const part = unknown.slice(at, at + askedAtOnce);
      await Promise.all(part.map(async (id) => found.set(id, await this.askExistence(id))));
    }
    return found;
  }

  private async askExistence(model_id: string): Promise<Existence> {
    try {
      await this.bus.ask(getModel, { model_id }, system('ingest'));
      return 'known';
    } catch (error) {
      return error instanceof AppError && error.code === 'MODEL_NOT_FOUND' ? 'unknown' : 'unsure';
    }
  }
}
