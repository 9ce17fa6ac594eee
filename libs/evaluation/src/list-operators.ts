import { assertBuildable, type Rule, step } from './rule.js';
import { isTruthy } from './values.js';

/** Makes a rule of a list and of what is asked of each element. */
export type ListOperator = (list: Rule, each: Rule, initial: Rule) => Rule;

const itemsOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

const visiting =
  (of: (items: unknown[], each: (item: unknown) => unknown) => unknown): ListOperator =>
  (list, each) =>
  (data, run) =>
    of(itemsOf(list(data, run)), (item) => {
      step(run);
      return each(item, run);
    });

const reduce: ListOperator = (list, each, initial) => (data, run) => {
  let accumulator = initial(data, run);
  for (const current of itemsOf(list(data, run))) {
    step(run);
    accumulator = each({ accumulator, current }, run);
    if (Array.isArray(accumulator)) assertBuildable(accumulator.length);
  }
  return accumulator;
};

/** `all` of an empty list is false, as JsonLogic has it. */
export const listOperators: Record<string, ListOperator> = {
  map: visiting((items, each) => items.map(each)),
  filter: visiting((items, each) => items.filter((item) => isTruthy(each(item)))),
  all: visiting((items, each) => items.length > 0 && items.every((item) => isTruthy(each(item)))),
  some: visiting((items, each) => items.some((item) => isTruthy(each(item)))),
  none: visiting((items, each) => !items.some((item) => isTruthy(each(item)))),
  reduce,
};
