import { type AlertScope } from '#contracts/alerts.js';
import { type Model } from '#contracts/registry.js';
import { appliesTo, isConfined, reaches, withoutNull } from './rule-scope.js';

const model = { model_id: 'mlb_model_1', name: 'Props', sport: 'MLB', model_type: 'ensemble', status: 'canary' } as Model;

describe('appliesTo', () => {
  it.each<[AlertScope, Partial<Model>, boolean]>([
    [{}, {}, true],
    [{ sport: 'MLB', status: 'canary' }, {}, true],
    [{ sport: 'MLB', status: 'stable' }, {}, false],
    [{ sport: null }, { sport: null }, true],
    [{ sport: 'MLB' }, { sport: null }, false],
    [{ model_id: 'other' }, {}, false],
    [{}, { status: 'retired' }, false],
    [{ status: 'retired' }, { status: 'retired' }, true],
  ])('of %j and a model with %j is %s', (scope, change, expected) => {
    expect(appliesTo(scope, { ...model, ...change })).toBe(expected);
  });
});

describe('a narrowed key', () => {
  const baseball = { sports: ['MLB'], names: null };
  it.each<[AlertScope, Model | undefined, boolean, boolean]>([
    [{}, undefined, true, false],
    [{ sport: 'MLB' }, undefined, true, true],
    [{ sport: 'NFL' }, undefined, false, false],
    [{ name: 'Props' }, undefined, true, false],
    [{ model_id: 'mlb_model_1' }, model, true, true],
    [{ model_id: 'mlb_model_1' }, { ...model, sport: 'NFL' }, false, false],
    [{ model_id: 'gone', sport: 'MLB' }, undefined, false, false],
  ])('and a rule for %j', (rule, named, seen, changed) => {
    expect([reaches(rule, baseball, named), isConfined(rule, baseball, named)]).toEqual([seen, changed]);
    const everything = { sports: null, names: null };
    expect(reaches(rule, everything, named)).toBe(true);
  });

  it('of names needs the name', () => {
    const names = { sports: null, names: ['Props'] };
    expect([isConfined({ name: 'Props' }, names, undefined), isConfined({ sport: 'MLB' }, names, undefined)]).toEqual([true, false]);
  });
});

it('withoutNull drops what narrows nothing', () => {
  expect(withoutNull({ sport: null, name: 'Props' })).toEqual({ name: 'Props' });
});
