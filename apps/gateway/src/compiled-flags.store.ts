import { Injectable } from '@nestjs/common';
import { evaluatorsView, type Evaluator } from '#contracts/flag-evaluators.js';
import { type Flag, flagsView } from '#contracts/flags.js';
import { compileFlag, type CompiledFlag } from '#evaluation/compiled-flag.js';
import { type Followed, Views } from '#runtime/views.js';

/** Flags ready to be asked, compiled when they are first asked after a change. */
@Injectable()
export class CompiledFlags {
  readonly flags: Followed<Flag>;
  private readonly evaluators: Followed<Evaluator>;
  private compiled = new WeakMap<Flag, CompiledFlag>();

  constructor(views: Views) {
    this.flags = views.follow(flagsView);
    this.evaluators = views.follow(evaluatorsView);
    const forget = (): void => void (this.compiled = new WeakMap());
    this.evaluators.onChange({ put: forget, removed: forget });
  }

  find(flag_key: string): CompiledFlag | undefined {
    const flag = this.flags.get(flag_key);
    if (!flag) return undefined;
    const before = this.compiled.get(flag);
    if (before) return before;
    const rules = Object.fromEntries([...this.evaluators.values()].map(({ name, rule }) => [name, rule]));
    const after = compileFlag(flag, rules);
    this.compiled.set(flag, after);
    return after;
  }
}
