import { type Role, roles } from '#contracts/access.js';

/** Which role a value of the issuer's claim stands for. */
export type TokenRoles = ReadonlyMap<string, Role>;

export const tokenRolesAccepted = `values of the claim with the role of each, such as ml-admins=admin,ml-readers=viewer; roles: ${roles.join(', ')}`;

/** Of `ml-admins=admin,ml-readers=viewer`; null where the text is something else. */
export function tokenRolesOf(text: string): TokenRoles | null {
  const found = new Map<string, Role>();
  for (const entry of text.split(',')) {
    const at = entry.lastIndexOf('=');
    const [value, role] = [entry.slice(0, at).trim(), roles.find((known) => known === entry.slice(at + 1).trim())];
    if (at < 1 || !value || !role) return null;
    found.set(value, role);
  }
  return found;
}
