import { Cors, isOrigin } from './cors.js';

const shop = 'https://shop.example.com';
const path = '/ofrep/v1/evaluate/flags';
const question = (origin: string) => ({ origin, 'access-control-request-method': 'POST' });

describe('CORS', () => {
  it('is closed unless origins are named', () => {
    const cors = new Cors([]);
    expect([cors.headersFor(shop), cors.preflightHeadersFor('OPTIONS', path, question(shop))]).toEqual([null, null]);
  });

  it('is open to the origins that are named, and to no other', () => {
    const cors = new Cors([shop, 'http://localhost:5173']);
    expect(cors.headersFor(shop)).toMatchObject({ 'access-control-allow-origin': shop, vary: 'origin' });
    expect(cors.preflightHeadersFor('OPTIONS', path, question(shop))).toMatchObject({ 'access-control-allow-methods': 'GET, POST' });
    for (const other of ['https://shop.example.com.evil.example', 'http://shop.example.com', 'https://SHOP.example.com', 'null', ''])
      expect([other, cors.headersFor(other), cors.preflightHeadersFor('OPTIONS', path, question(other))]).toEqual([other, null, null]);
  });

  it('is open to all where that is said, and never for more than OFREP', () => {
    const cors = new Cors(['*']);
    expect(cors.headersFor('https://any.example')).toMatchObject({ 'access-control-allow-origin': '*' });
    expect(cors.headersFor(undefined)).toBeNull();
    expect(cors.preflightHeadersFor('OPTIONS', '/api/models/enterprise/registry', question(shop))).toBeNull();
    expect(cors.preflightHeadersFor('POST', path, question(shop))).toBeNull();
    expect(cors.preflightHeadersFor('OPTIONS', path, { origin: shop })).toBeNull();
  });

  it.each([
    ['*', true],
    [shop, true],
    ['http://localhost:5173', true],
    [`${shop}/`, false],
    [`${shop}/page`, false],
    ['shop.example.com', false],
    ['https://*.example.com', false],
    ['null', false],
    ['file:///x', false],
    ['ftp://shop.example.com', false],
  ])('calls %p an origin: %p', (text, is) => {
    expect(isOrigin(text)).toBe(is);
  });
});
