import { type Role } from '#contracts/access.js';

/** Who asks. `role` is null for those whose every request is refused with 401. */
export interface Principal {
  name: string;
  role: Role | null;
  /** The only sport whose models it may know of; null: all. */
  sport: string | null;
}

const withRole = (role: Role): Principal => ({ name: role, role, sport: null });

export const admin = withRole('admin');
/** Two that may do the same, each to models that the other must not know of. */
export const narrowed: readonly Principal[] = [
  { name: 'nba', role: 'releaser', sport: 'NBA' },
  { name: 'nfl', role: 'releaser', sport: 'NFL' },
];
export const refused: readonly Principal[] = ['none', 'wrong', 'revoked'].map((name) => ({ name, role: null, sport: null }));

export const principals: readonly Principal[] = [
  admin,
  ...(['releaser', 'editor', 'client', 'viewer'] as const).map(withRole),
  ...narrowed,
  ...refused,
];
