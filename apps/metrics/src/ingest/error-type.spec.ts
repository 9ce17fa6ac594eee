import { fc } from '#testing/property.js';
import { boundTypes, errorTypeOf, maxTypes } from './error-type.js';

describe('errorTypeOf', () => {
  it.each([
    ['timeout_error', 'Request timed out after 30 s'],
    ['timeout_error', 'TimeoutError'],
    ['timeout_error', 'TimeoutError: model did not answer'],
    ['timeout_error', 'asyncio.exceptions.TimeoutError'],
    ['timeout_error', 'java.net.SocketTimeoutException: Read timed out'],
    ['timeout_error', 'requests.exceptions.ReadTimeout: HTTPConnectionPool'],
    ['timeout_error', 'DEADLINE_EXCEEDED: 4.9s'],
    ['timeout_error', 'connect ETIMEDOUT 10.0.0.1:443'],
    ['timeout_error', 'urllib3.exceptions.MaxRetryError: (Caused by ConnectTimeoutError)'],
    ['timeout_error', 'upstream answered with status 504'],
    ['rate_limit_error', 'openai.RateLimitError: Error code: 429'],
    ['rate_limit_error', 'Too Many Requests'],
    ['rate_limit_error', 'HTTPError: 429 Client Error: Too Many Requests for url'],
    ['rate_limit_error', 'ThrottlingException: Rate exceeded'],
    ['permission_error', "PermissionError: [Errno 13] Permission denied: '/models/x'"],
    ['permission_error', '403 Forbidden'],
    ['permission_error', 'Invalid API key'],
    ['permission_error', 'java.nio.file.AccessDeniedException: /data'],
    ['resource_error', 'RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB'],
    ['resource_error', 'java.lang.OutOfMemoryError: Java heap space'],
    ['resource_error', 'MemoryError'],
    ['resource_error', 'OSError: [Errno 28] No space left on device'],
    ['resource_error', 'RESOURCE_EXHAUSTED: 2 of 2 slots'],
    ['connection_error', 'java.net.ConnectException: Connection refused'],
    ['connection_error', 'ConnectionResetError: [Errno 104]'],
    ['connection_error', 'connect ECONNREFUSED 127.0.0.1:8080'],
    ['connection_error', 'socket hang up'],
    ['connection_error', 'TypeError: fetch failed'],
    ['connection_error', 'java.io.IOException: Broken pipe'],
    ['connection_error', 'could not connect to the feature store'],
    ['validation_error', "ValueError: could not convert string to float: 'a'"],
    ['validation_error', 'ValueError: timeout must be positive'],
    ['validation_error', "KeyError: 'player_id'"],
    ['validation_error', "TypeError: unsupported operand type(s) for +: 'int' and 'str'"],
    ['validation_error', 'pydantic_core._pydantic_core.ValidationError: 1 validation error for Input'],
    ['validation_error', 'java.lang.IllegalArgumentException: rows < 1'],
    ['validation_error', 'java.lang.NumberFormatException: For input string: "x"'],
    ['validation_error', 'SyntaxError: Unexpected token < in JSON at position 0'],
    ['validation_error', 'missing field player_id'],
    ['model_error', 'model returned NaN'],
    ['model_error', 'RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x3 and 4x5)'],
    ['model_error', 'RuntimeError: something else'],
    ['model_error', 'tritonclient.utils.InferenceServerException: [StatusCode.INTERNAL] failed'],
    ['model_error', 'sklearn.exceptions.NotFittedError: call fit first'],
    ['model_error', 'ZeroDivisionError: division by zero'],
    ['unknown_error', 'something odd happened in 429 ms'],
    ['unknown_error', '☃'],
    ['unknown_error', ''],
    ['unknown_error', '   '],
  ])('is %s for "%s"', (type, error) => {
    expect(errorTypeOf(error)).toBe(type);
  });

  it('is unknown_error where nothing is known', () => {
    expect(errorTypeOf(undefined)).toBe('unknown_error');
    expect(errorTypeOf(undefined, '')).toBe('unknown_error');
  });

  it.each(['custom_error', 'timeout_error', 'stale_features_error', `${'a'.repeat(58)}_error`])('keeps the token %s', (error) => {
    expect(errorTypeOf(error)).toBe(error);
    expect(errorTypeOf(`${error}: with a message about a timeout`)).toBe(error);
  });

  it('does not keep what only looks like a token', () => {
    expect(errorTypeOf(`${'a'.repeat(59)}_error`)).toBe('unknown_error');
    expect(errorTypeOf('__proto___error')).toBe('unknown_error');
    expect(errorTypeOf('Custom_error')).toBe('unknown_error');
    expect(errorTypeOf('constructor')).toBe('unknown_error');
  });

  it("prefers the producer's type where it is a token, reads it like a message where it is not", () => {
    expect(errorTypeOf('Request timed out', 'feature_store_down')).toBe('feature_store_down');
    expect(errorTypeOf('Request timed out', 'ValueError')).toBe('validation_error');
    expect(errorTypeOf('Request timed out', '__proto__')).toBe('timeout_error');
    expect(errorTypeOf(undefined, '☃')).toBe('unknown_error');
  });

  it('reads no further than 512 characters', () => {
    expect(errorTypeOf(`${' '.repeat(100)}${'x '.repeat(150)}timeout`)).toBe('timeout_error');
    expect(errorTypeOf(`${'x '.repeat(256)}timeout`)).toBe('unknown_error');
  });

  it('tries rules of one’s own before the built-in ones, and after names that the producer gives', () => {
    const own = [
      { type: 'feature_store_error', words: ['feature store', 'feast'] },
      { type: 'second_error', words: ['feast', 'tokeniser'] },
    ];
    expect(errorTypeOf('could not connect to the Feature Store', undefined, own)).toBe('feature_store_error');
    expect(errorTypeOf('ValueError: FEAST has no entity', undefined, own)).toBe('feature_store_error');
    expect(errorTypeOf('RuntimeError: the tokeniser timed out', undefined, own)).toBe('second_error');
    expect(errorTypeOf('no words of theirs: timed out', undefined, own)).toBe('timeout_error');
    expect(errorTypeOf('custom_error: feast', undefined, own)).toBe('custom_error');
    expect(errorTypeOf('feast', 'custom_error', own)).toBe('custom_error');
    expect(errorTypeOf('timed out', 'FeastError', own)).toBe('feature_store_error');
    expect(errorTypeOf(`${'x '.repeat(256)}feast`, undefined, own)).toBe('unknown_error');
    expect(errorTypeOf('a.b', undefined, [{ type: 'dot_error', words: ['a.c', '.*'] }])).toBe('unknown_error');
  });

  it('answers a snake_case token of at most 64 characters for any text', () => {
    fc.assert(
      fc.property(
        fc.option(fc.string({ unit: 'binary', maxLength: 700 }), { nil: undefined }),
        fc.option(fc.string(), { nil: undefined }),
        (error, type) => {
          expect(errorTypeOf(error, type)).toMatch(/^[a-z][a-z0-9_]{0,63}$/);
        },
      ),
    );
  });

  it('takes linear time for text made to be slow', () => {
    const hostile = ['.', 'A', 'a_', 'time ', 'code: ', 'too many ', 'Error:', 'A.', ' '].map((part) =>
      part.repeat(1_000_000 / part.length),
    );
    const start = performance.now();
    for (const text of hostile) for (let i = 0; i < 100; i++) errorTypeOf(text, text);
    // 1,800 readings of 512 characters: tens of milliseconds when linear, minutes when not.
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});

describe('boundTypes', () => {
  const types = (count: number): Set<string> => new Set(Array.from({ length: count }, (_, i) => `t${i}_error`));

  it('takes new types until there are 50, then counts them as other', () => {
    expect(boundTypes(types(maxTypes - 1), 'new_error')).toBe('new_error');
    expect(boundTypes(types(maxTypes), 'new_error')).toBe('other');
  });

  it('keeps known types however many there are', () => {
    expect(boundTypes(types(maxTypes), 't7_error')).toBe('t7_error');
    expect(boundTypes(types(maxTypes + 5), 't54_error')).toBe('t54_error');
  });

  it('does not count other itself among the 50', () => {
    expect(boundTypes(types(maxTypes - 1).add('other'), 'new_error')).toBe('new_error');
    expect(boundTypes(types(maxTypes).add('other'), 'other')).toBe('other');
  });

  it('is not confused by the names of object members', () => {
    expect(boundTypes(types(maxTypes), 'constructor')).toBe('other');
    expect(boundTypes(new Set(['__proto__']), '__proto__')).toBe('__proto__');
  });
});
