import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { acknowledgeAlert, type Alert, type AlertAcknowledgement, type AlertFilter, listAlerts } from '#contracts/alerts.js';
import { inScope } from '#contracts/access.js';
import { AppError, raise } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller } from '#runtime/caller.js';
import { cursorText, fillPage, uuidCursor } from '#runtime/cursor.js';
import { KnownModels } from '../known-models.store.js';
import { AlertEntity, SilenceEntity } from './alert.entity.js';
import { alertOf } from './alert-view.js';
import { DeliveriesStore } from './deliveries.store.js';
import { DeliveryExecutor } from './delivery.executor.js';
import { matches } from './silence.js';

@Controller()
export class AlertsHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly known: KnownModels,
    private readonly deliveries: DeliveriesStore,
    private readonly executor: DeliveryExecutor,
  ) {}

  /** The newest first. */
  @Answers(listAlerts)
  async listAlerts(filter: AlertFilter): Promise<Page<Alert>> {
    const query = this.database.getRepository(AlertEntity).createQueryBuilder('alert').orderBy('alert.alert_id', 'DESC');
    if (filter.state === undefined) query.andWhere(`alert.state <> 'pending'`);
    for (const column of ['state', 'model_id', 'severity'] as const) {
      if (filter[column] !== undefined) query.andWhere(`alert.${column} = :${column}`, { [column]: filter[column] });
    }
    if (filter.cursor !== undefined) query.andWhere('alert.alert_id < :after', { after: uuidCursor(filter.cursor) });
    const { sports, names } = currentCaller().actor.scope;
    if (sports ?? names) {
      const visible = [...this.known.all()].filter((model) => inScope({ sports, names }, model)).map(({ model_id }) => model_id);
      query.andWhere('alert.model_id = ANY(:visible)', { visible });
    }
    const page = await fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      ({ alert_id }) => cursorText([alert_id]),
    );
    return { ...page, items: page.items.map(alertOf) };
  }

  /** Acknowledging again changes nothing and tells nobody. */
  @Answers(acknowledgeAlert)
  async acknowledge({ alert_id, reason }: AlertAcknowledgement): Promise<Alert> {
    const acknowledged = await this.database.transaction(async (manager) => {
      const row = await manager.findOne(AlertEntity, { where: { alert_id }, lock: { mode: 'pessimistic_write' } });
      const before = this.visible(alert_id, row);
      if (before.state !== 'firing' && before.state !== 'recovering') {
        throw new AppError('ALERT_NOT_FIRING', `Alert ${alert_id} is ${before.state}`, {
          state: before.state,
          accepted: 'an alert that is firing',
        });
      }
      if (before.acknowledged_at !== null) return before;
      const at = new Date().toISOString();
      const by = { acknowledged_at: at, acknowledged_by: currentCaller().actor.name, acknowledge_reason: reason };
      const after: AlertEntity = { ...before, ...by };
      await manager.save(AlertEntity, after);
      await this.audit.write(manager, {
        action: 'alert.acknowledged',
        subject_type: 'alert',
        subject_id: alert_id,
        reason,
        before: alertOf(before),
        after: alertOf(after),
      });
      const silences = await manager.find(SilenceEntity);
      const isSilenced = silences.some((silence) => matches(silence, after, at));
      if (!isSilenced) await this.deliveries.enqueue(manager, [{ transition: 'acknowledged', at, alert: alertOf(after) }], at);
      return after;
    });
    this.executor.wake();
    return alertOf(acknowledged);
  }

  /** An alert of a model outside a narrowed key's scope is as good as absent. */
  private visible(alert_id: string, alert: AlertEntity | null): AlertEntity {
    const model = this.known.find(alert?.model_id);
    const { scope } = currentCaller().actor;
    const isVisible = alert && ((!scope.sports && !scope.names) || (model && inScope(scope, model)));
    return isVisible ? alert : raise(new AppError('ALERT_NOT_FOUND', `Alert ${alert_id} not found`));
  }
}
