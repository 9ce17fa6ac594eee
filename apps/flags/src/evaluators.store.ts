import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError } from '#contracts/errors.js';
import { type JsonValue } from '#contracts/fields.js';
import { type Evaluator, evaluatorsView, maxEvaluators } from '#contracts/flag-evaluators.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller } from '#runtime/caller.js';
import { changesAnything } from '#runtime/changes.js';
import { Outbox } from '#runtime/outbox.js';
import { EvaluatorEntity } from './evaluator.entity.js';

/** Any constant: whoever changes evaluators waits for the flags that are being written, and those for it. */
const evaluatorsLock = 91_424;

/** Shared evaluators as rows, each change with its audit and with what the view shall say. */
@Injectable()
export class EvaluatorsStore implements OnModuleInit {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly outbox: Outbox,
  ) {}

  onModuleInit(): void {
    this.outbox.publish(evaluatorsView, () => this.all());
  }

  all(manager: EntityManager = this.database.manager): Promise<EvaluatorEntity[]> {
    return manager.find(EvaluatorEntity, { order: { name: 'ASC' } });
  }

  async rules(): Promise<Record<string, JsonValue>> {
    return Object.fromEntries((await this.all()).map(({ name, rule }) => [name, rule]));
  }

  find(manager: EntityManager, name: string): Promise<EvaluatorEntity | null> {
    return manager.findOneBy(EvaluatorEntity, { name });
  }

  /** The names of all evaluators, none of which goes before the transaction has ended. */
  async shared(manager: EntityManager): Promise<string[]> {
    await manager.query('SELECT pg_advisory_xact_lock_shared($1)', [evaluatorsLock]);
    return (await manager.find(EvaluatorEntity, { select: { name: true } })).map(({ name }) => name);
  }

  /** Waits for those who hold `shared`, and keeps others from it until the transaction has ended. */
  async exclusive(manager: EntityManager): Promise<void> {
    await manager.query('SELECT pg_advisory_xact_lock($1)', [evaluatorsLock]);
  }

  /** In a transaction that is `exclusive`. The present one where nothing changes. */
  async put(
    manager: EntityManager,
    before: Evaluator | null,
    { name, rule, description = before?.description ?? '' }: { name: string; rule: JsonValue; description?: string },
  ): Promise<Evaluator> {
    if (before && !changesAnything<Evaluator>(before, { rule, description })) return before;
    if (!before && (await manager.count(EvaluatorEntity)) >= maxEvaluators)
      throw new AppError('LIMIT_REACHED', `There are ${maxEvaluators} evaluators already, as many as there may be`, {
        limit: 'evaluators',
        max: maxEvaluators,
      });
    const now = new Date().toISOString();
    const made = { created_at: now, created_by: currentCaller().actor.name, revision: 0 };
    const known = before ?? made;
    const after: Evaluator = {
      ...{ name, rule, description, updated_at: now },
      ...{ created_at: known.created_at, created_by: known.created_by, revision: known.revision + 1 },
    };
    await manager.save(EvaluatorEntity, after);
    await this.outbox.put(manager, evaluatorsView, after);
    await this.write(manager, before ? 'evaluator.changed' : 'evaluator.created', name, before, after);
    return after;
  }

  async remove(manager: EntityManager, evaluator: Evaluator): Promise<void> {
    await manager.delete(EvaluatorEntity, { name: evaluator.name });
    await this.outbox.remove(manager, evaluatorsView, evaluator.name);
    await this.write(manager, 'evaluator.removed', evaluator.name, evaluator, null);
  }

  /** After the commit. */
  changed(): void {
    this.outbox.flush();
  }

  private write(manager: EntityManager, action: string, subject_id: string, before: object | null, after: object | null): Promise<void> {
    return this.audit.write(manager, { action, subject_type: 'evaluator', subject_id, before, after });
  }
}
