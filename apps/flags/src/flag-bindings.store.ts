import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { runAs, system } from '#runtime/caller.js';
import { FlagEntity } from './flag.entity.js';
import { FlagsStore } from './flags.store.js';

/** SQL: the models that a flag directs traffic to. */
export const modelsOfFlag = 'ARRAY(SELECT value FROM jsonb_each_text(flag.variant_models))';

/** Which models flags direct traffic to. */
@Injectable()
export class FlagBindings {
  constructor(
    private readonly database: DataSource,
    private readonly flags: FlagsStore,
  ) {}

  async held(): Promise<string[]> {
    const rows = await this.database.query<{ model_id: string }[]>(
      'SELECT DISTINCT value AS model_id FROM flags.flags, jsonb_each_text(variant_models)',
    );
    return rows.map(({ model_id }) => model_id);
  }

  /**
   * The registry removed a model: no variant directs traffic to it any more, and a flag whose last model it was goes with it. Says nothing where
   * that is done already.
   */
  async forget(model_id: string): Promise<void> {
    await runAs(system('retention'), () =>
      this.database.transaction(async (manager) => {
        const query = manager.createQueryBuilder(FlagEntity, 'flag').where(`:model_id = ANY(${modelsOfFlag})`, { model_id });
        for (const flag of await query.orderBy('flag.flag_key').setLock('pessimistic_write').getMany()) {
          const left = Object.fromEntries(Object.entries(flag.variant_models).filter(([, bound]) => bound !== model_id));
          const reason = `model ${model_id} was removed`;
          if (Object.keys(left).length) await this.flags.change(manager, flag, { variant_models: left }, reason);
          else await this.flags.remove(manager, flag, reason);
        }
      }),
    );
    this.flags.changed();
  }
}
