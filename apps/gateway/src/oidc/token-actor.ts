import { createHash } from 'node:crypto';
import { type Actor, type Role, roles, type Scope, sportPattern } from '#contracts/access.js';
import { singleLine } from '#contracts/fields.js';
import { type TokenRoles } from './token-roles.js';

/** What is read from a token of which it is known that the issuer signed it. */
export interface ClaimNames {
  /** Values that `roles` maps. */
  role: string;
  /** How the caller is called in the audit. */
  name: string;
  sports: string;
  names: string;
}

type Claims = Record<string, unknown>;

const maxItems = 50;
const isLine =
  (max: number) =>
  (value: unknown): value is string =>
    typeof value === 'string' && value.length <= max && singleLine.test(value);
const isSport = (value: unknown): value is string => typeof value === 'string' && sportPattern.test(value);

/** Why a token that the issuer signed is no caller of ours. */
export class UnusableToken extends Error {}

/**
 * The caller that a token stands for. Its `key_id` is one for each subject of the issuer. Throws UnusableToken: no role, a narrowing that cannot be
 * read, or a narrowed admin, which no key may be either.
 */
export function actorOfClaims(claims: Claims, of: ClaimNames, mapped: TokenRoles): Actor {
  const subject = `${String(claims.iss)}\n${String(claims.sub)}`;
  const key_id = `t_${createHash('sha256').update(subject).digest('hex').slice(0, 24)}`;
  const role = largestRole(listOf(claimOf(claims, of.role)) ?? [], mapped);
  if (!role) throw new UnusableToken(`${of.role} has no value that stands for a role`);
  const scope: Scope = {
    sports: narrowing(claims, of.sports, isSport),
    names: narrowing(claims, of.names, isLine(200)),
  };
  if (role === 'admin' && (scope.sports ?? scope.names)) throw new UnusableToken('an admin cannot be narrowed');
  const name = [claimOf(claims, of.name), claims.sub].find(isLine(100)) ?? key_id;
  return { key_id, name, role, scope };
}

function largestRole(values: unknown[], mapped: TokenRoles): Role | undefined {
  const given = new Set(values.map((value) => (typeof value === 'string' ? mapped.get(value) : undefined)));
  return roles.findLast((role) => given.has(role));
}

/** Null: the token does not narrow. Whatever cannot be read does not widen. */
function narrowing(claims: Claims, claim: string, isOne: (value: unknown) => value is string): string[] | null {
  const value = claimOf(claims, claim);
  if (value === undefined || value === null) return null;
  const list = listOf(value);
  if (!list || list.length > maxItems || !list.every(isOne)) throw new UnusableToken(`${claim} cannot be read`);
  return list;
}

const listOf = (value: unknown): unknown[] | null => (Array.isArray(value) ? value : typeof value === 'string' ? [value] : null);

/** By its whole name, which may hold dots, else by its path, such as `realm_access.roles`. */
function claimOf(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Claims)[step];
  }
  return value;
}
