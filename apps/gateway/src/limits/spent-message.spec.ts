import { spentFrom } from './spent-message.js';

const message = { gateway: 'a', limit: 'keys', spent: [['k_1', 2]] };

it('reads what a gateway has spent', () => {
  expect(spentFrom(message)).toEqual(message);
  expect(spentFrom({ ...message, spent: [] })).toEqual({ ...message, spent: [] });
});

it.each([
  null,
  [],
  'text',
  {},
  { ...message, gateway: 1 },
  { ...message, spent: {} },
  { ...message, spent: [['k_1']] },
  { ...message, spent: [['k_1', -1]] },
  { ...message, spent: [['k_1', 1.5]] },
  { ...message, spent: [[1, 1]] },
  { ...message, spent: [['k_1', 1], null] },
])('takes %j for nothing', (value) => {
  expect(spentFrom(value)).toBeNull();
});
