import { createHmac } from 'node:crypto';
import { Instant, Line, OneOf, singleLine, singleLineAccepted, Text, Texts, Whole } from './fields.js';
import { pageOf } from './page.js';
import { NoInput, request } from './request.js';
import { view } from './view.js';

/** Each role may do what the ones before it may. */
export const roles = ['viewer', 'client', 'editor', 'releaser', 'admin'] as const;
export type Role = (typeof roles)[number];

export const roleSuffices = (role: Role, needed: Role): boolean => roles.indexOf(role) >= roles.indexOf(needed);

/** What a key may see: null means all. A model is in scope when its sport and its name both are. */
export interface Scope {
  sports: string[] | null;
  names: string[] | null;
}

export function inScope(scope: Scope, model: { sport: string | null; name: string }): boolean {
  if (scope.sports && (model.sport === null || !scope.sports.includes(model.sport))) return false;
  return !scope.names || scope.names.includes(model.name);
}

export const isNarrowed = ({ sports, names }: Scope): boolean => sports !== null || names !== null;

/** Who asks: the key of a REST request, or a job of the suite itself. Travels with every request between services. */
export interface Actor {
  key_id: string;
  name: string;
  role: Role;
  scope: Scope;
}

export const sportPattern = /^[A-Z][A-Z0-9]{0,15}$/;
export const sportAccepted = '1 to 16 upper-case letters and digits such as MLB, NFL, NBA';

export class NewKey {
  @Line({ max: 100, description: 'Whose key it is; appears as `created_by` and in the audit.', example: 'ml_team' })
  name!: string;

  @OneOf(roles)
  role!: Role;

  @Texts({
    max: 16,
    min_items: 1,
    max_items: 50,
    pattern: sportPattern,
    accepted: sportAccepted,
    optional: true,
    nullable: true,
    description: 'Only models of these sports.',
  })
  sports?: string[] | null;

  @Texts({
    max: 200,
    min_items: 1,
    max_items: 50,
    pattern: singleLine,
    accepted: singleLineAccepted(200),
    optional: true,
    nullable: true,
    description: 'Only models of these names.',
  })
  names?: string[] | null;

  @Instant({ optional: true, nullable: true, description: 'When the key stops working, in the future; null: never.' })
  expires_at?: string | null;
}

export class ApiKey {
  @Text({ max: 40, example: 'k_8f3a1c2d' })
  key_id!: string;

  @Text({ max: 100 })
  name!: string;

  @OneOf(roles)
  role!: Role;

  @Texts({ max: 16, max_items: 50, nullable: true })
  sports!: string[] | null;

  @Texts({ max: 200, max_items: 50, nullable: true })
  names!: string[] | null;

  @Text({ max: 40, description: 'How the secret begins, to recognise it by.' })
  prefix!: string;

  @Instant()
  created_at!: string;

  @Text({ max: 100 })
  created_by!: string;

  @Instant({ nullable: true })
  expires_at!: string | null;

  @Instant({ nullable: true })
  revoked_at!: string | null;

  @Instant({ nullable: true, description: 'When it was last used, as far as was written down: once a minute. Null: not yet.' })
  last_used_at!: string | null;
}

export class CreatedKey extends ApiKey {
  @Text({ max: 200, description: 'The secret. It is shown this once and stored only as a keyed hash.' })
  key!: string;
}

export class KeyRef {
  @Text({ max: 40, pattern: /^[a-z0-9_]{1,40}$/, accepted: '1 to 40 of a-z, 0-9 and _' })
  key_id!: string;
}

export class KeyRotation extends KeyRef {
  @Whole({
    max: 10_080,
    optional: true,
    description: 'How long the old secret goes on working, in minutes. Default 60; 0 ends it at once.',
  })
  overlap_minutes?: number;
}

/** Keys that were used since their user last said so. */
export class KeyUse {
  @Texts({ max: 40, min_items: 1, max_items: 1_000 })
  key_ids!: string[];
}

export class KeyUseNoted {
  @Whole({ description: 'Of how many keys it was written down.' })
  noted!: number;
}

export class KeyPage extends pageOf(ApiKey) {}

export const listKeys = request('registry.list_keys', { input: NoInput, output: KeyPage });
export const createKey = request('registry.create_key', { input: NewKey, output: CreatedKey });
export const rotateKey = request('registry.rotate_key', { input: KeyRotation, output: CreatedKey });
export const noteKeyUse = request('registry.note_key_use', { input: KeyUse, output: KeyUseNoted });
export const revokeKey = request('registry.revoke_key', { input: KeyRef, output: ApiKey });

/** What can be sent as `Authorization: Bearer …` by every client and typed into every shell between quotes. */
export const bearerSecret = {
  min: 32,
  max: 200,
  pattern: /^[!#-&(-[\]-~]+$/,
  accepted: '32 to 200 visible ASCII characters without spaces, quotes and backslashes, such as `openssl rand -hex 24` prints',
};

/** What is stored and looked up instead of a key: HMAC-SHA-256(pepper, key) in hex. One fast hash is enough for 256 random bits. */
export const keyMac = (pepper: string, key: string): string => createHmac('sha256', pepper).update(key).digest('hex');

/** Tells one pepper from another, and nothing of either. No key has a space: this is the hash of none. */
export const pepperId = (pepper: string): string => keyMac(pepper, 'which pepper').slice(0, 16);

/** What a gateway needs to authenticate: `mac` is HMAC-SHA-256(pepper, secret) in hex, `pepper_id` of that pepper. */
export interface KeyRecord extends Actor {
  mac: string;
  pepper_id: string;
  expires_at: string | null;
  revoked_at: string | null;
}

export const keysView = view<KeyRecord>('keys', ({ key_id }) => key_id);
