import { Controller, Delete, Get, Post } from '@nestjs/common';
import {
  type ApiKey,
  createKey,
  type CreatedKey,
  keyMac,
  KeyRef,
  KeyRotation,
  listKeys,
  NewKey,
  pepperId,
  revokeKey,
  rotateKey,
} from '#contracts/access.js';
import { type AuditEntry, AuditFilter, AuditPage, listAuditOf } from '#contracts/audit.js';
import { defaultLimit, type Page } from '#contracts/page.js';
import { NoInput } from '#contracts/request.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { cursorText } from '#runtime/cursor.js';
import { By } from './by.decorator.js';
import { GatewayConfig } from './gateway.config.js';
import { KeyGuard } from './key.guard.js';
import { Input, Serves } from './serves.decorator.js';

const audits = (['registry', 'metrics', 'validation', 'flags'] as const).map(listAuditOf);

@Controller()
export class AccessController {
  constructor(
    private readonly bus: Bus,
    private readonly guard: KeyGuard,
    private readonly config: GatewayConfig,
  ) {}

  @Get('keys')
  @Serves({ ...listKeys, role: 'admin', from: 'query', summary: 'List API keys, without their secrets' })
  listKeys(@Input() input: NoInput, @By() caller: Caller): Promise<Page<ApiKey>> {
    return this.bus.ask(listKeys, input, caller);
  }

  @Post('keys')
  @Serves({ ...createKey, role: 'admin', from: 'body', summary: 'Make an API key; its secret is shown this once' })
  async createKey(@Input() input: NewKey, @By() caller: Caller): Promise<CreatedKey> {
    return this.learn(await this.bus.ask(createKey, input, caller));
  }

  @Post('keys/:key_id/rotate')
  @Serves({
    ...rotateKey,
    role: 'admin',
    path: ['key_id'],
    from: 'body',
    summary: 'A new secret with the same rights; the old one ends after an overlap',
  })
  async rotateKey(@Input() input: KeyRotation, @By() caller: Caller): Promise<CreatedKey> {
    return this.learn(await this.bus.ask(rotateKey, input, caller));
  }

  @Delete('keys/:key_id')
  @Serves({ ...revokeKey, role: 'admin', path: ['key_id'], from: 'query', summary: 'Revoke an API key' })
  async revokeKey(@Input() input: KeyRef, @By() caller: Caller): Promise<ApiKey> {
    const key = await this.bus.ask(revokeKey, input, caller);
    this.guard.forget(key.key_id);
    return key;
  }

  /** Each service keeps its own audit. The ids sort by time, so the newest of all are among the newest of each. */
  @Get('audit')
  @Serves({
    input: AuditFilter,
    output: AuditPage,
    role: 'admin',
    from: 'query',
    summary: 'Every change, newest first: who, when, why, before and after',
  })
  async listAudit(@Input() input: AuditFilter, @By() caller: Caller): Promise<Page<AuditEntry>> {
    const pages = await Promise.all(audits.map((contract) => this.bus.ask(contract, input, caller)));
    return mergeNewestFirst(pages, input.limit ?? defaultLimit);
  }

  private learn(created: CreatedKey): CreatedKey {
    const { key_id, name, role, sports, names, expires_at, revoked_at, key } = created;
    const { KEY_PEPPER } = this.config;
    const hashed = { mac: keyMac(KEY_PEPPER, key), pepper_id: pepperId(KEY_PEPPER) };
    this.guard.learn({ key_id, name, role, scope: { sports, names }, expires_at, revoked_at, ...hashed });
    return created;
  }
}

/**
 * One page out of several that are each sorted by audit_id, newest first. A source whose page ended early (its items were large) bounds the
 * merged page: beyond its last item something of it may be missing.
 */
export function mergeNewestFirst(pages: Page<AuditEntry>[], limit: number): Page<AuditEntry> {
  const bounds = pages.filter(({ next_cursor }) => next_cursor !== null).map(({ items }) => items.at(-1)?.audit_id ?? '');
  const bound = bounds.sort().at(-1) ?? '';
  const all = pages
    .flatMap(({ items }) => items)
    .filter(({ audit_id }) => audit_id >= bound)
    .sort((a, b) => (a.audit_id < b.audit_id ? 1 : -1));
  const items = all.slice(0, limit);
  const last = items.at(-1);
  const more = bounds.length > 0 || all.length > limit;
  return { items, next_cursor: more && last ? cursorText([last.audit_id]) : null };
}
