import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError, assertRevision } from '#contracts/errors.js';
import { type Flag, flagsView, maxFlags } from '#contracts/flags.js';
import { AuditStore } from '#runtime/audit.store.js';
import { isUniqueViolation } from '#runtime/database-fault.js';
import { Outbox } from '#runtime/outbox.js';
import { insertRow } from '#runtime/rows.js';
import { FlagEntity } from './flag.entity.js';

/** Any constant of this service's own. */
const additionsLock = 91_425;

export const flagNotFound = (flag_key: string): AppError => new AppError('FLAG_NOT_FOUND', `Flag ${flag_key} not found`);

/**
 * Flags as rows. Every change is written together with its audit and with what the view shall say; `changed` is called once the transaction is
 * committed, so that the view follows at once. A process that dies in between is made up for by the outbox's next poll.
 */
@Injectable()
export class FlagsStore implements OnModuleInit {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly outbox: Outbox,
  ) {}

  onModuleInit(): void {
    this.outbox.publish(flagsView, () => this.database.manager.find(FlagEntity));
  }

  find(manager: EntityManager, flag_key: string): Promise<FlagEntity | null> {
    return manager.findOneBy(FlagEntity, { flag_key });
  }

  lock(manager: EntityManager, flag_key: string): Promise<FlagEntity | null> {
    return manager.findOne(FlagEntity, { where: { flag_key }, lock: { mode: 'pessimistic_write' } });
  }

  /** Those of the keys that are there, locked in the order of the database, as whoever locks several must. */
  async lockAll(manager: EntityManager, flag_keys: string[]): Promise<Map<string, FlagEntity>> {
    const query = manager.createQueryBuilder(FlagEntity, 'flag').where('flag.flag_key = ANY(:flag_keys)', { flag_keys });
    const flags = await query.orderBy('flag.flag_key').setLock('pessimistic_write').getMany();
    return new Map(flags.map((flag) => [flag.flag_key, flag]));
  }

  /** Additions take turns, so that there are never more than `maxFlags`: every gateway holds them all in memory. */
  async add(manager: EntityManager, flag: Flag): Promise<void> {
    await manager.query('SELECT pg_advisory_xact_lock($1)', [additionsLock]);
    if ((await manager.count(FlagEntity)) >= maxFlags)
      throw new AppError('LIMIT_REACHED', `There are ${maxFlags} flags already, as many as there may be`, {
        limit: 'flags',
        max: maxFlags,
      });
    await insertRow(manager, FlagEntity, flag).catch((error: unknown) => {
      if (!isUniqueViolation(error)) throw error;
      throw new AppError('FLAG_EXISTS', `Flag ${flag.flag_key} exists already`, { accepted: 'a flag_key that is not in use' });
    });
    await this.outbox.put(manager, flagsView, flag);
    await this.write(manager, 'flag.created', flag.flag_key, null, flag);
  }

  /** The locked flag with what is changed, at its next revision. */
  async change(manager: EntityManager, before: Flag, change: Partial<Flag>, reason: string | null = null): Promise<Flag> {
    const after: Flag = { ...before, ...change, updated_at: new Date().toISOString(), revision: before.revision + 1 };
    await manager.save(FlagEntity, after);
    await this.outbox.put(manager, flagsView, after);
    await this.write(manager, 'flag.changed', before.flag_key, before, after, reason);
    return after;
  }

  async remove(manager: EntityManager, flag: Flag, reason: string | null = null): Promise<void> {
    await manager.delete(FlagEntity, { flag_key: flag.flag_key });
    await this.outbox.remove(manager, flagsView, flag.flag_key);
    await this.write(manager, 'flag.removed', flag.flag_key, flag, null, reason);
  }

  /** After the commit. */
  changed(): void {
    this.outbox.flush();
  }

  private write(
    manager: EntityManager,
    action: string,
    subject_id: string,
    before: object | null,
    after: object | null,
    reason: string | null = null,
  ): Promise<void> {
    return this.audit.write(manager, { action, subject_type: 'flag', subject_id, reason, before, after });
  }
}

export const assertFlagRevision = (flag: Flag, if_match: number[] | undefined): void =>
  assertRevision(`Flag ${flag.flag_key}`, flag.revision, if_match);
