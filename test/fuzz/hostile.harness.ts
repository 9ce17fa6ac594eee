import { Bytes, Raw, type Tree } from './tree.harness.js';

const nested = (levels: number): Raw => new Raw('['.repeat(levels) + ']'.repeat(levels));

/** What stands where a good value was, most of it wrong nearly everywhere. */
export const hostileValues: readonly Tree[] = [
  ...[null, true, false, 0, -1, 1.5, 1e15, -0.1, [], {}, [null], [[]], { x: null }, [{}]],
  ...['', ' ', 'x', '\t', 'null', 'true', 'NaN', 'Infinity', '-1', '1e3', '0x10', '٣', '__proto__', 'constructor', 'toString'],
  ...["' OR 1=1 --", '"; DROP TABLE models; --', '%', '\\', '$', '{{7*7}}', '${7*7}', '<script>alert(1)</script>', '../../etc/passwd'],
  ...['a\r\nX-Injected: 1', '\u202eabc', '\ufeff', '\u2028', '\u200b', '\u0130\u0131', 'e\u0301'.repeat(100), '💥'.repeat(64), '模型'],
  ...['a'.repeat(65), 'a'.repeat(256), 'a'.repeat(1_001), 'a'.repeat(10_000), 'x,'.repeat(2_000)],
  ...['0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z', '2025-02-30T00:00:00Z', '2016-12-31T23:59:60Z', '1970-01-01T00:00:00+14:00', 'now'],
  ...['1e308', '-1e308', '1e999', '-1e999', '-0', '5e-324', '1e-400', '9007199254740993', '18446744073709551616', '1.0', '1E2', '00'].map(
    (text) => new Raw(text),
  ),
  ...['"\\u0000"', '"a\\ud800b"', '"\\udc00"', '"\\ud83d"', '{"a\\u0000":1}', 'NaN', 'Infinity', 'undefined', '"\t"', "'x'"].map(
    (text) => new Raw(text),
  ),
  ...['{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}', '{"\\u005f_proto__":1}', '{"a":1,"a":2}'].map(
    (text) => new Raw(text),
  ),
  ...[nested(31), nested(33), nested(64), nested(5_000)],
  new Raw(`[${'1,'.repeat(11_000)}1]`),
  new Raw(`{${Array.from({ length: 1_200 }, (_, index) => `"k${index}":1`).join()}}`),
  new Raw(`"${'\\u00e9'.repeat(3_000)}"`),
];

/** Keys that no object has, and some that each has. */
export const strayKeys = ['surprise', '__proto__', 'constructor', 'toString', 'created_by', 'revision', 'if_match', 'role', '', 'a.b'];

/** Whole bodies that are none. */
export const hostileBodies: readonly Tree[] = [
  ...['', ' ', 'null', 'true', '5', '"x"', '[]', '[{}]', '{', '{"a":', '{bad}', '{}{}', '{"a":1,}', '\ufeff{}', '// x\n{}', '\u0000'].map(
    (text) => new Raw(text),
  ),
  ...[nested(40), nested(20_000), new Raw('{"a":'.repeat(5_000)), new Raw('{"__proto__":{}}'), new Raw('{"constructor":{"prototype":{}}}')],
  new Raw(`{"x":"${'y'.repeat(800 * 1_024)}"}`),
  ...['ff', '7b2261223a22ff227d', '7b2261223a22c080227d', '7b2261223a22eda080227d', 'fffe7b007d00', '1f8b0800'].map(
    (hex) => new Bytes(hex),
  ),
];

/** Segments of a path as they go over the wire. None changes which route is meant. */
export const hostileSegments = [
  ...['%', '%0', '%zz', '%00', 'a%00b', '%ff', '%c0%ae%c0%ae', '%ed%a0%80', '%f0%9f%92%a5', '%2e%2e', '..%2f..%2fetc', '%252e%252e'],
  ...['%20', '+', '~', '*', ';x=1', 'x;y', '__proto__', 'constructor', 'undefined', 'null', 'NaN', '-1', '0', '1e308', "'", '%22', '%5c'],
  ...['a'.repeat(65), 'a'.repeat(129), 'a'.repeat(4_000), '%61', '%0d%0aX:1', '\u00e9', 'A', 'mlb_model_00000000', '1'.repeat(40)],
  ...['00000000-0000-0000-0000-000000000000', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', 'rollout_000000000000', '0'.repeat(64)],
].filter((segment) => /^[\x21-\x7e]*$/.test(segment));

/** Whole query strings. */
export const hostileQueries = [
  ...['&', '=', '&&=&', '%', '%ff=1', 'a=%ff', 'a=%00', '__proto__=1', '__proto__[x]=1', 'constructor[prototype][x]=1', 'x[]=1', 'x=1&x=2'],
  ...['limit=1&limit=2', 'limit[]=1', 'cursor=%00', 'cursor=!!!', 'limit=1e1', 'limit=%31', 'limit=+1', 'limit=1%20', 'q=%25', 'q=_%5c'],
  ...[
    `x=${'a'.repeat(9_000)}`,
    `${'a=1&'.repeat(1_000)}a=1`,
    'if_match=1',
    'callback=x',
    '?',
    '%3f',
    'a=1;b=2',
    'cursor=bnVsbA',
    'cursor=e30',
  ],
];

/** Headers as name and value; those without a meaning here must not have one. */
export const hostileHeaders: readonly (readonly [string, string])[] = [
  ...['*', '"1"', '"0"', '"999999"', 'W/"1"', '"1", "2"', '1', '"', '""', '"x"', '"1e3"', ',', 'a'.repeat(5_000)].flatMap((value) => [
    ['If-Match', value] as const,
    ['If-None-Match', value] as const,
  ]),
  ...['k', 'a b', '\u00e9', 'a'.repeat(255), 'a'.repeat(256), '__proto__', '\t'].map((value) => ['Idempotency-Key', value] as const),
  ...['ok-1', 'a b', '../x', 'a'.repeat(101), '${x}', '\u00ff'].map((value) => ['X-Request-Id', value] as const),
  ...[
    'text/plain',
    'application/xml',
    'application/json; charset=utf-16',
    'application/JSON',
    'multipart/form-data; boundary=x',
    'json',
    '/',
  ].map((value) => ['Content-Type', value] as const),
  ...['gzip', 'br', 'identity', 'x'].map((value) => ['Content-Encoding', value] as const),
  ...['text/html', 'application/xml;q=1', '*', ';;;'].map((value) => ['Accept', value] as const),
  ['X-HTTP-Method-Override', 'DELETE'],
  ['X-Forwarded-For', '127.0.0.1, x, \u00ff'],
  ['Forwarded', 'for=unknown'],
  ['X-Forwarded-Host', 'evil.example'],
  ['Range', 'bytes=0-1'],
  ['Origin', 'null'],
  ['traceparent', '00-00000000000000000000000000000000-0000000000000000-01'],
  ['tracestate', '='.repeat(600)],
  ['Cookie', 'a=b; __proto__=1'],
  ['Expect', 'x'],
];
