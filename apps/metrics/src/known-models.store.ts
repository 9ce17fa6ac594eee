import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { inScope } from '#contracts/access.js';
import { modelNotFound } from '#contracts/errors.js';
import { getModel, type Model, modelsView } from '#contracts/registry.js';
import { Bus } from '#runtime/bus.js';
import { Views } from '#runtime/views.js';
import { VisibleRecords } from '#runtime/visible-records.js';

/** Which models there are. What was counted of a removed one is deleted. */
@Injectable()
export class KnownModels extends VisibleRecords<Model> {
  constructor(views: Views, bus: Bus, database: DataSource) {
    super({
      records: views.follow(modelsView, {
        removed: async (model_id) => {
          await database.query('DELETE FROM metrics.model_window WHERE model_id = $1', [model_id]);
        },
      }),
      ask: (model_id) => bus.ask(getModel, { model_id }),
      inScope,
      absent: modelNotFound,
    });
  }
}
