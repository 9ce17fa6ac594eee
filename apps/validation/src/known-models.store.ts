import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { inScope, isNarrowed } from '#contracts/access.js';
import { modelNotFound } from '#contracts/errors.js';
import { getModel, listModels, type Model, type ModelStatus, modelsView } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { type Caller, currentCaller } from '#runtime/caller.js';
import { type Followed } from '#runtime/followed.js';
import { Views } from '#runtime/views.js';
import { isAbsent, VisibleRecords } from '#runtime/visible-records.js';
import { followStable } from './comparing/follow-stable.js';

/** From one model to the next in the index: as much work as there are models, however many runs they have. */
export const modelsWithRuns = `
  WITH RECURSIVE held AS (
    (SELECT model_id FROM validation.runs ORDER BY model_id LIMIT 1)
    UNION ALL
    SELECT (SELECT model_id FROM validation.runs WHERE runs.model_id > held.model_id ORDER BY model_id LIMIT 1) FROM held
    WHERE held.model_id IS NOT NULL
  ) SELECT model_id FROM held WHERE model_id IS NOT NULL`;

/** Which models there are, and how they are served. The runs of a removed one are deleted. */
@Injectable()
export class KnownModels extends VisibleRecords<Model> {
  private readonly models: Followed<Model>;

  constructor(
    views: Views,
    private readonly bus: Bus,
    database: DataSource,
  ) {
    const ask = (model_id: string, caller: Caller): Promise<Model> => bus.ask(getModel, { model_id }, caller);
    const records: Followed<Model> = views.follow(modelsView, {
      // What became stable meanwhile, or cannot be stored now, is seen to before the next comparison.
      changed: (model) => {
        if (records.ready && model.status === 'stable') void followStable(database, model).catch(() => undefined);
      },
      removed: async (model_id) => {
        await database.query('DELETE FROM validation.signatures WHERE model_id = $1', [model_id]);
        await database.query('DELETE FROM validation.baselines WHERE model_id = $1', [model_id]);
        await database.query('DELETE FROM validation.runs WHERE model_id = $1', [model_id]);
      },
      leftovers: {
        held: async () => {
          const rows = await database.query<{ model_id: string }[]>(modelsWithRuns);
          return rows.map(({ model_id }) => model_id);
        },
        isGone: (model_id) => isAbsent((caller) => ask(model_id, caller), 'MODEL_NOT_FOUND'),
      },
    });
    super({ records, ask, inScope, absent: modelNotFound });
    this.models = records;
  }

  /** As the registry has it now: a run must not call an address that was just changed. */
  current(model_id: string): Promise<Model> {
    return this.bus.ask(getModel, { model_id }, currentCaller());
  }

  /** What a night validates: every canary and stable model. Asked of the registry: the view may not yet know of a promotion. */
  async active(): Promise<Model[]> {
    const found = new Map<string, Model>();
    // A model promoted between the two lists is in both, or in the second.
    for (const status of ['canary', 'stable'] as const) {
      for (const model of await this.withStatus(status)) found.set(model.model_id, model);
    }
    return [...found.values()];
  }

  private async withStatus(status: ModelStatus): Promise<Model[]> {
    const models: Model[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.bus.ask(listModels, { status, limit: 1000, cursor }, currentCaller());
      models.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
    return models;
  }

  /** The models that a narrowed key sees; null for any other key, which sees all. */
  idsInScope(): string[] | null {
    const { scope } = currentCaller().actor;
    if (!isNarrowed(scope)) return null;
    return [...this.models.values()].filter((model) => inScope(scope, model)).map(({ model_id }) => model_id);
  }

  stableVersionOf(name: string): Model | undefined {
    return [...this.models.values()].find((model) => model.name === name && model.status === 'stable');
  }
}
