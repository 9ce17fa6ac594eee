import { ApiHeader } from '@nestjs/swagger';
import { invalidInput } from '#contracts/errors.js';
import { parameter } from './parameter.js';

const pattern = /^[\x21-\x7e]{1,255}$/;

/** The request's Idempotency-Key; undefined without one. */
export const IdempotencyKey = parameter(({ headers }): string | undefined => {
  const key = headers['idempotency-key'];
  if (key === undefined || (typeof key === 'string' && pattern.test(key))) return key;
  const accepted = '1 to 255 visible ASCII characters';
  throw invalidInput([{ field: 'Idempotency-Key', value: String(key).slice(0, 100), accepted }]);
});

/** Says so in the API's description. */
export const TakesIdempotencyKey = (): MethodDecorator =>
  ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'A name for this very request: sent again under it within 24 hours, it is done once. Another request under it: 409.',
    schema: { type: 'string', pattern: pattern.source },
  });
