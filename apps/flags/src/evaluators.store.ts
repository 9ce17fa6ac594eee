import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type JsonValue } from '#contracts/fields.js';
import { evaluatorsView } from '#contracts/flag-evaluators.js';
import { Outbox } from '#runtime/outbox.js';
import { EvaluatorEntity } from './evaluator.entity.js';

/** Any constant: whoever removes an evaluator waits for the flags that are being written, and those for it. */
const evaluatorsLock = 91_424;

@Injectable()
export class EvaluatorsStore implements OnModuleInit {
  constructor(
    private readonly database: DataSource,
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

  /** The names of all evaluators, none of which goes before the transaction has ended. */
  async shared(manager: EntityManager): Promise<string[]> {
    await manager.query('SELECT pg_advisory_xact_lock_shared($1)', [evaluatorsLock]);
    return (await manager.find(EvaluatorEntity, { select: { name: true } })).map(({ name }) => name);
  }

  /** Waits for those who hold `shared`, and keeps others from it until the transaction has ended. */
  async exclusive(manager: EntityManager): Promise<void> {
    await manager.query('SELECT pg_advisory_xact_lock($1)', [evaluatorsLock]);
  }
}
