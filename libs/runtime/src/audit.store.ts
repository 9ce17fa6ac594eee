import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { type AuditEntry, type AuditFilter } from '#contracts/audit.js';
import { type JsonValue } from '#contracts/fields.js';
import { type Page } from '#contracts/page.js';
import { AuditEntity } from './audit.entity.js';
import { currentCaller } from './caller.js';
import { cursorText, fillPage, uuidCursor } from './cursor.js';

export interface Change {
  action: string;
  subject_type: string;
  subject_id: string;
  reason?: string | null;
  before: object | null;
  after: object | null;
}

/** What changed, by whom and why; written in the transaction of the change itself, so that neither is ever there without the other. */
@Injectable()
export class AuditStore {
  constructor(private readonly database: DataSource) {}

  async write(manager: EntityManager, change: Change): Promise<void> {
    const { actor, request_id } = currentCaller();
    const entry: Omit<AuditEntry, 'at'> = {
      audit_id: uuidv7(),
      key_id: actor.key_id,
      actor: actor.name,
      request_id,
      action: change.action,
      subject_type: change.subject_type,
      subject_id: change.subject_id,
      reason: change.reason ?? null,
      before: plain(change.before),
      after: plain(change.after),
    };
    await manager.insert(AuditEntity, entry as never);
  }

  /** Newest first. */
  async list(filter: AuditFilter): Promise<Page<AuditEntry>> {
    const query = this.database.getRepository(AuditEntity).createQueryBuilder('entry').orderBy('entry.audit_id', 'DESC');
    if (filter.subject_id) query.andWhere('entry.subject_id = :subject_id', { subject_id: filter.subject_id });
    if (filter.key_id) query.andWhere('entry.key_id = :key_id', { key_id: filter.key_id });
    if (filter.action) query.andWhere('entry.action = :action', { action: filter.action });
    if (filter.cursor) query.andWhere('entry.audit_id < :after', { after: uuidCursor(filter.cursor) });
    return fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      (entry) => cursorText([entry.audit_id]),
    );
  }
}

// Entities are class instances; jsonb wants what JSON says of them.
const plain = (value: object | null): JsonValue => (value === null ? null : (JSON.parse(JSON.stringify(value)) as JsonValue));
