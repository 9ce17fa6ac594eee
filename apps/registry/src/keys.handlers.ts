import { randomBytes } from 'node:crypto';
import { Controller, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager, IsNull, Not } from 'typeorm';
import {
  type ApiKey,
  createKey,
  type CreatedKey,
  keyMac,
  type KeyRecord,
  type KeyRef,
  type KeyRotation,
  keysView,
  type KeyUse,
  type KeyUseNoted,
  listKeys,
  type NewKey,
  noteKeyUse,
  pepperId,
  revokeKey,
  rotateKey,
} from '#contracts/access.js';
import { AppError, invalidInput, raise } from '#contracts/errors.js';
import { newKeyText } from '#contracts/key-text.js';
import { NoInput } from '#contracts/request.js';
import { type Page } from '#contracts/page.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller, runAs, system } from '#runtime/caller.js';
import { ConfigError } from '#runtime/config.js';
import { Outbox } from '#runtime/outbox.js';
import { insertRow } from '#runtime/rows.js';
import { KeyEntity } from './key.entity.js';
import { RegistryConfig } from './registry.config.js';

const defaultOverlapMinutes = 60;

@Controller()
export class KeysHandlers implements OnModuleInit {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly outbox: Outbox,
    private readonly config: RegistryConfig,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.assertPepper();
    this.outbox.publish(keysView, async () => (await this.database.manager.find(KeyEntity)).map((key) => this.recordOf(key)));
    const { BOOTSTRAP_ADMIN_KEY } = this.config;
    if (BOOTSTRAP_ADMIN_KEY) await runAs(system('bootstrap'), () => this.addBootstrapKey(BOOTSTRAP_ADMIN_KEY));
  }

  @Answers(listKeys)
  async listKeys(_: NoInput): Promise<Page<ApiKey>> {
    const keys = await this.database.manager.find(KeyEntity, { order: { created_at: 'DESC', key_id: 'ASC' }, take: 1000 });
    return { items: keys.map(shown), next_cursor: null };
  }

  @Answers(createKey)
  async createKey(input: NewKey): Promise<CreatedKey> {
    if (input.role === 'admin' && (input.sports ?? input.names)) {
      // A narrowed admin could make itself a wider key.
      throw invalidInput([
        { field: 'role', value: 'admin', accepted: 'for a key narrowed by sports or names: viewer, client, editor or releaser' },
      ]);
    }
    if (input.expires_at && Date.parse(input.expires_at) <= Date.now()) {
      throw invalidInput([{ field: 'expires_at', value: input.expires_at, accepted: 'a time in the future, or null' }]);
    }
    return this.committed((manager) => this.add(manager, input));
  }

  /** A new key with the same rights; the old one ends after the overlap, so that its users can change over without a gap. */
  @Answers(rotateKey)
  async rotateKey({ key_id, overlap_minutes = defaultOverlapMinutes }: KeyRotation): Promise<CreatedKey> {
    return this.committed(async (manager) => {
      const before = await this.lock(manager, key_id);
      if (before.revoked_at) throw new AppError('KEY_REVOKED', `Key ${key_id} is revoked; make a new one`);
      const ends = new Date(Date.now() + overlap_minutes * 60_000).toISOString();
      const after: KeyEntity = { ...before, expires_at: before.expires_at && before.expires_at < ends ? before.expires_at : ends };
      await this.save(manager, 'key.rotated', before, after);
      return this.add(manager, before);
    });
  }

  /** Revoking a revoked key changes nothing. */
  @Answers(revokeKey)
  async revokeKey({ key_id }: KeyRef): Promise<ApiKey> {
    return this.committed(async (manager) => {
      const before = await this.lock(manager, key_id);
      if (before.revoked_at) return shown(before);
      const after: KeyEntity = { ...before, revoked_at: new Date().toISOString() };
      await this.save(manager, 'key.revoked', before, after);
      return shown(after);
    });
  }

  /** Written at most once a minute for a key, however many gateways tell of it; neither a change of the key nor in the audit. */
  @Answers(noteKeyUse)
  async noteKeyUse({ key_ids }: KeyUse): Promise<KeyUseNoted> {
    const [, noted] = await this.database.query<[unknown[], number]>(
      `UPDATE registry.keys SET last_used_at = now()
       WHERE key_id = ANY($1) AND (last_used_at IS NULL OR last_used_at < now() - interval '59 seconds')`,
      [key_ids],
    );
    return { noted };
  }

  /** Under another pepper no key that there is would be known: every client would be refused, one by one and without a reason. */
  private async assertPepper(): Promise<void> {
    const pepper_id = pepperId(this.config.KEY_PEPPER);
    await this.committed(async (manager) => {
      if (await manager.existsBy(KeyEntity, { pepper_id: Not(pepper_id) }))
        throw new ConfigError('KEY_PEPPER: it is another one than the keys in the database were hashed with');
      const unmarked = await manager.findBy(KeyEntity, { pepper_id: IsNull() });
      for (const key of unmarked) {
        const marked = await manager.save(KeyEntity, { ...key, pepper_id });
        await this.outbox.put(manager, keysView, this.recordOf(marked));
      }
    });
  }

  private async committed<T>(change: (manager: EntityManager) => Promise<T>): Promise<T> {
    const result = await this.database.transaction(change);
    this.outbox.flush();
    return result;
  }

  private async lock(manager: EntityManager, key_id: string): Promise<KeyEntity> {
    const key = await manager.findOne(KeyEntity, { where: { key_id }, lock: { mode: 'pessimistic_write' } });
    return key ?? raise(new AppError('KEY_NOT_FOUND', `Key ${key_id} not found`));
  }

  private async add(manager: EntityManager, { name, role, sports, names, expires_at }: NewKey): Promise<CreatedKey> {
    const { key_id, prefix, key } = newKeyText(this.config.KEY_KIND, randomBytes(36));
    const row: KeyEntity = {
      key_id,
      name,
      role,
      sports: sports ?? null,
      names: names ?? null,
      prefix,
      mac: keyMac(this.config.KEY_PEPPER, key),
      created_at: new Date().toISOString(),
      created_by: currentCaller().actor.name,
      expires_at: expires_at ? new Date(expires_at).toISOString() : null,
      revoked_at: null,
      last_used_at: null,
      pepper_id: pepperId(this.config.KEY_PEPPER),
    };
    await insertRow(manager, KeyEntity, row);
    await this.audit.write(manager, { action: 'key.created', subject_type: 'key', subject_id: key_id, before: null, after: shown(row) });
    await this.outbox.put(manager, keysView, this.recordOf(row));
    return { ...shown(row), key };
  }

  private async save(manager: EntityManager, action: string, before: KeyEntity, after: KeyEntity): Promise<void> {
    await manager.save(KeyEntity, after);
    await this.audit.write(manager, { action, subject_type: 'key', subject_id: after.key_id, before: shown(before), after: shown(after) });
    await this.outbox.put(manager, keysView, this.recordOf(after));
  }

  /** Replicas that start together add it once: the hash is unique. One that was revoked stays revoked. */
  private async addBootstrapKey(key: string): Promise<void> {
    const mac = keyMac(this.config.KEY_PEPPER, key);
    const row: KeyEntity = {
      key_id: `k_bootstrap_${mac.slice(0, 8)}`,
      name: 'bootstrap',
      role: 'admin',
      sports: null,
      names: null,
      prefix: key.slice(0, 4),
      mac,
      created_at: new Date().toISOString(),
      created_by: 'bootstrap',
      expires_at: null,
      revoked_at: null,
      last_used_at: null,
      pepper_id: pepperId(this.config.KEY_PEPPER),
    };
    await this.committed(async (manager) => {
      const { identifiers } = await manager
        .createQueryBuilder()
        .insert()
        .into(KeyEntity)
        .values(row)
        .orIgnore()
        .returning('key_id')
        .execute();
      if (identifiers.filter(Boolean).length === 0) return;
      await this.audit.write(manager, {
        action: 'key.created',
        subject_type: 'key',
        subject_id: row.key_id,
        before: null,
        after: shown(row),
      });
      await this.outbox.put(manager, keysView, this.recordOf(row));
    });
  }

  private recordOf({ key_id, name, role, sports, names, mac, pepper_id, expires_at, revoked_at }: KeyEntity): KeyRecord {
    return {
      key_id,
      name,
      role,
      scope: { sports, names },
      mac,
      pepper_id: pepper_id ?? pepperId(this.config.KEY_PEPPER),
      expires_at,
      revoked_at,
    };
  }
}

/** A key without its hash. */
const shown = ({
  key_id,
  name,
  role,
  sports,
  names,
  prefix,
  created_at,
  created_by,
  expires_at,
  revoked_at,
  last_used_at,
}: KeyEntity): ApiKey => ({
  key_id,
  name,
  role,
  sports,
  names,
  prefix,
  created_at,
  created_by,
  expires_at,
  revoked_at,
  last_used_at,
});
