import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { breakersView } from '#contracts/selection.js';
import { Outbox } from '#runtime/outbox.js';
import { ModelStateEntity } from './selection.entity.js';

/** What selection keeps of models, with their breakers. */
@Injectable()
export class ModelStates {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
  ) {}

  /** Of which models. */
  async held(): Promise<string[]> {
    return (await this.database.manager.find(ModelStateEntity, { select: { model_id: true } })).map(({ model_id }) => model_id);
  }

  async forget(model_id: string): Promise<void> {
    await this.database.transaction(async (manager) => {
      const { affected } = await manager.delete(ModelStateEntity, { model_id });
      if (affected) await this.outbox.remove(manager, breakersView, model_id);
    });
    this.outbox.flush();
  }
}
