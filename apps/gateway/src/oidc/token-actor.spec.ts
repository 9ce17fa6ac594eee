import { actorOfClaims, UnusableToken } from './token-actor.js';
import { tokenRolesOf } from './token-roles.js';

const of = { role: 'realm_access.roles', name: 'email', sports: 'emr_sports', names: 'emr_names' };
const mapped = tokenRolesOf('ml-readers=viewer, ml-leads = releaser,ml-admins=admin')!;
const claims = { iss: 'https://id.example.com', sub: 'u-1', email: 'ann@example.com', realm_access: { roles: ['ml-readers', 'other'] } };
const actorOf = (more: object): ReturnType<typeof actorOfClaims> => actorOfClaims({ ...claims, ...more }, of, mapped);

describe('the caller of a token', () => {
  it('has the largest role that its claim is mapped to, a name and an id of its own', () => {
    const actor = actorOf({});
    expect(actor).toEqual({
      key_id: expect.stringMatching(/^t_[0-9a-f]{24}$/) as string,
      name: 'ann@example.com',
      role: 'viewer',
      scope: { sports: null, names: null },
    });
    expect(actorOf({ realm_access: { roles: ['ml-leads', 'ml-readers'] } }).role).toBe('releaser');
    expect(actorOf({ sub: 'u-2' }).key_id).not.toBe(actor.key_id);
    expect(actorOf({ email: 'other@example.com' }).key_id).toBe(actor.key_id);
    expect(actorOf({ email: 'two\nlines' }).name).toBe('u-1');
    expect(actorOf({ email: undefined, sub: 'x'.repeat(300) }).name).toMatch(/^t_/);
  });

  it('reads a claim by its whole name before its path', () => {
    const named = { ...of, role: 'https://example.com/roles' };
    expect(actorOfClaims({ ...claims, 'https://example.com/roles': 'ml-leads' }, named, mapped).role).toBe('releaser');
  });

  it('is narrowed by its claims', () => {
    expect(actorOf({ emr_sports: ['MLB', 'NBA'], emr_names: 'MLB Props' }).scope).toEqual({ sports: ['MLB', 'NBA'], names: ['MLB Props'] });
    expect(actorOf({ emr_sports: [] }).scope).toEqual({ sports: [], names: null });
  });

  it.each<[string, object]>([
    ['no role', { realm_access: {} }],
    ['a role that is mapped to none', { realm_access: { roles: ['viewer', 'admin', 'constructor', '__proto__'] } }],
    ['roles that are no texts', { realm_access: { roles: [1, null, { ml: 1 }] } }],
    ['a narrowing of another type', { emr_sports: { MLB: true } }],
    ['a narrowing to no sport', { emr_sports: ['mlb'] }],
    ['a narrowing to something and no text', { emr_names: ['x', 1] }],
    ['too many names', { emr_names: Array.from({ length: 51 }, (_, at) => `n${at}`) }],
    ['a narrowed admin', { realm_access: { roles: ['ml-admins'] }, emr_sports: ['MLB'] }],
  ])('is nobody with %s', (_, more) => {
    expect(() => actorOf(more)).toThrow(UnusableToken);
  });
});

it.each(['', 'viewer', '=viewer', 'a=', 'a=owner', 'a=viewer,', 'a=viewer,b'])('takes %p for no mapping of roles', (text) => {
  expect(tokenRolesOf(text)).toBeNull();
});

it('reads values that hold an equals sign', () => {
  expect(tokenRolesOf('cn=ml,ou=x=viewer')).toBeNull();
  expect(tokenRolesOf('cn=ml=viewer')).toEqual(new Map([['cn=ml', 'viewer']]));
});
