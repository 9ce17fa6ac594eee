import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { inScope } from '#contracts/access.js';
import { modelNotFound } from '#contracts/errors.js';
import { getModel, type Model, modelsView } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { Views } from '#runtime/views.js';
import { isAbsent, VisibleRecords } from '#runtime/visible-records.js';

/** Which models there are. What was counted of a removed one is deleted. */
@Injectable()
export class KnownModels extends VisibleRecords<Model> {
  constructor(views: Views, bus: Bus, database: DataSource) {
    super({
      records: views.follow(modelsView, {
        removed: async (model_id) => {
          await database.query('DELETE FROM metrics.model_window WHERE model_id = $1', [model_id]);
        },
        leftovers: {
          held: async () => {
            const rows = await database.query<{ model_id: string }[]>(
              `SELECT DISTINCT model_id FROM metrics.model_window WHERE period = 'lifetime'`,
            );
            return rows.map(({ model_id }) => model_id);
          },
          isGone: (model_id) => isAbsent(() => bus.ask(getModel, { model_id }), 'MODEL_NOT_FOUND'),
        },
      }),
      ask: (model_id) => bus.ask(getModel, { model_id }),
      inScope,
      absent: modelNotFound,
    });
  }
}
