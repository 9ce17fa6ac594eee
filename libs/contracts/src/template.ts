import { type FieldProblem } from './errors.js';
import { type JsonValue } from './fields.js';
import { acceptedPath, parsePath, valueAt } from './json-path.js';

/** So that a small template cannot make a large input endless. */
export const maxReferences = 20;

/** What a `{"$from": name, "path"?}` stands for is not there. */
export class TemplateError extends Error {}

type JsonObject = Record<string, unknown>;

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const isReference = (value: unknown): value is JsonObject => isObject(value) && Object.hasOwn(value, '$from');

function referencesIn(template: unknown): JsonObject[] {
  if (isReference(template)) return [template];
  return typeof template === 'object' && template !== null ? Object.values(template).flatMap(referencesIn) : [];
}

/** What is wrong with a template's references, all under `field`. `names`: what there is to refer to. */
export function templateProblems(field: string, template: unknown, names: readonly string[]): FieldProblem[] {
  const references = referencesIn(template);
  if (references.length > maxReferences) return [{ field, accepted: `a template with at most ${maxReferences} $from` }];
  return references.flatMap((reference): FieldProblem[] => {
    const { $from, path = '$', ...stray } = reference;
    if (typeof $from !== 'string' || !names.includes($from) || Object.keys(stray).length) {
      const known = names.length ? `one of ${names.join(', ')}` : 'a name; there is none here';
      return [{ field, value: reference, accepted: `{"$from": name, "path"?: JSONPath} and nothing beside them; name: ${known}` }];
    }
    return typeof path === 'string' && parsePath(path) ? [] : [{ field, value: path, accepted: `for path: ${acceptedPath}` }];
  });
}

/** The template with every `{"$from": name, "path"?}` replaced by the value it stands for. Throws TemplateError where there is none. */
export function filled(template: JsonValue, values: Readonly<Record<string, unknown>>): JsonValue {
  if (isReference(template)) {
    const { $from, path = '$' } = template as { $from: string; path?: string };
    const value = Object.hasOwn(values, $from) ? valueAt(values[$from], parsePath(path) ?? []) : undefined;
    if (value === undefined) throw new TemplateError(`there is no ${path} of ${$from}`);
    return value as JsonValue;
  }
  if (Array.isArray(template)) return template.map((entry) => filled(entry as JsonValue, values));
  if (!isObject(template)) return template;
  return Object.fromEntries(Object.entries(template).map(([key, entry]) => [key, filled(entry as JsonValue, values)]));
}
