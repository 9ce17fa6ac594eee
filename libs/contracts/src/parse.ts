import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { type FieldProblem, invalidInput } from './errors.js';
import { type DataClass, fieldsOf } from './fields.js';

const maxShownLength = 100;

/** What was sent, short enough for an error message and a log. */
function shown(value: unknown): unknown {
  if (value === undefined || value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > maxShownLength ? `${text.slice(0, maxShownLength)}… (${text.length} characters)` : value;
}

function problemsOf(errors: ValidationError[], type: DataClass | null, path: string): FieldProblem[] {
  return errors.flatMap((error): FieldProblem[] => {
    const field = path + error.property;
    const own: FieldProblem[] = [];
    if (error.constraints?.whitelistValidation) {
      const known = type ? [...fieldsOf(type).keys()] : [];
      own.push({ field, value: shown(error.value), accepted: known.length ? `only these fields: ${known.join(', ')}` : 'no such field' });
    } else if (error.constraints) {
      own.push({ field, value: shown(error.value), accepted: error.constraints.field ?? Object.values(error.constraints)[0] ?? '' });
    }
    // A wrong list or object is reported once, not again for what it would have held.
    return own.length ? own : problemsOf(error.children ?? [], null, `${field}.`);
  });
}

/**
 * Checks plain data against a data class: every field present, of its type and in its range, and no field that the class does not have.
 * Throws INVALID_INPUT naming each offending field, what it was and what is accepted.
 */
export function parse<T extends object>(type: DataClass<T>, value: unknown): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidInput([{ field: '(body)', value: shown(value), accepted: `a JSON object with ${[...fieldsOf(type).keys()].join(', ')}` }]);
  }
  const instance = plainToInstance(type, value, { exposeUnsetFields: false });
  const errors = validateSync(instance, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: false });
  if (errors.length) throw invalidInput(problemsOf(errors, type, ''));
  return withoutUnset(instance);
}

/** Class fields make every optional field an own property that is undefined: spread over a row, it would wipe out what is there. */
function withoutUnset<T extends object>(instance: T): T {
  for (const [name, value] of Object.entries(instance) as [keyof T, unknown][]) {
    if (value === undefined) delete instance[name];
    else if (fieldsOf(instance.constructor as DataClass).get(String(name))?.part)
      [value].flat().forEach((part) => part && withoutUnset(part));
  }
  return instance;
}

const decimalPattern = /^-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/**
 * Turns texts (of a query string or the environment) into the types of the class's fields. A text that is not of its field's type stays a
 * text, so that `parse` reports it as it was sent; so does a parameter that was given twice.
 */
export function fromTexts(type: DataClass, texts: Record<string, unknown>): Record<string, unknown> {
  const fields = fieldsOf(type);
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => {
      const kind = fields.get(name)?.fromText;
      if (typeof text !== 'string') return [name, text];
      if (kind === 'number' && text.length < 40 && decimalPattern.test(text)) return [name, Number(text)];
      if (kind === 'boolean' && (text === 'true' || text === 'false')) return [name, text === 'true'];
      return [name, text];
    }),
  );
}
