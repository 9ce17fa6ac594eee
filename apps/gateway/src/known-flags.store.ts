import { Injectable } from '@nestjs/common';
import { isNarrowed, type Scope } from '#contracts/access.js';
import { AppError, serviceUnavailable } from '#contracts/errors.js';
import { type JsonValue } from '#contracts/fields.js';
import { type Evaluator, evaluatorsView } from '#contracts/flag-evaluators.js';
import { type Flag, type FlagFilter, flagInScope, flagsView, getFlag } from '#contracts/flags.js';
import { type Page } from '#contracts/page.js';
import { compileFlag, type CompiledFlag } from '#evaluation/compiled-flag.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { cursorParts, cursorText, pageFrom } from '#runtime/cursor.js';
import { type Followed } from '#runtime/followed.js';
import { Views } from '#runtime/views.js';
import { KnownModels } from './known-models.store.js';
import { recordText } from './record-text.js';
import { SortedRecords } from './sorted-records.js';
import { compareTexts } from './text-order.js';

/** Of scopes. */
const maxSets = 100;

const flagNotFound = (flag_key: string): AppError => new AppError('FLAG_NOT_FOUND', `Flag ${flag_key} not found`);

export interface FlagSet {
  /** In the order of their keys. */
  flags: CompiledFlag[];
  /** Whether any of them may answer otherwise later although nothing is changed. */
  timed: boolean;
}

/** All flags, each compiled when it is first asked after a change of it or of an evaluator. */
@Injectable()
export class KnownFlags {
  readonly flags: Followed<Flag>;
  readonly evaluators: Followed<Evaluator>;
  private readonly ordered = new SortedRecords<Flag>((a, b) => compareTexts(a.flag_key, b.flag_key));
  private readonly compiled = new Map<string, CompiledFlag>();
  private rules: Record<string, JsonValue> | undefined;
  /** By scope, until something changes. */
  private readonly sets = new Map<string, FlagSet>();

  constructor(
    views: Views,
    private readonly models: KnownModels,
    private readonly bus: Bus,
  ) {
    this.flags = views.follow(flagsView);
    this.evaluators = views.follow(evaluatorsView);
    this.flags.onChange({
      put: (flag, before) => {
        if (before) this.drop(before);
        this.ordered.add(flag);
        this.sets.clear();
      },
      removed: (flag) => this.drop(flag),
    });
    const dropRules = (): void => {
      this.rules = undefined;
      this.sets.clear();
      this.compiled.clear();
    };
    this.evaluators.onChange({ put: dropRules, removed: dropRules });
    const dropSets = (): void => this.sets.clear();
    this.models.projection.onChange({ put: dropSets, removed: dropSets });
  }

  /** Undefined where there is none, or none that the scope has. Throws SERVICE_UNAVAILABLE before all flags are known. */
  find(flag_key: string, scope: Scope): CompiledFlag | undefined {
    this.assertComplete();
    const flag = this.flags.get(flag_key);
    return flag && this.isVisible(flag, scope) ? this.compiledOf(flag) : undefined;
  }

  /** All flags in scope. Throws as above. */
  all(scope: Scope): FlagSet {
    this.assertComplete();
    const name = JSON.stringify(scope);
    let set = this.sets.get(name);
    if (!set) {
      set = this.setFor(scope);
      if (this.sets.size >= maxSets) this.sets.clear();
      this.sets.set(name, set);
    }
    return set;
  }

  /** As the caller sees it; one that the view does not have yet is asked of its owner. Throws FLAG_NOT_FOUND, SERVICE_UNAVAILABLE. */
  async require(flag_key: string, caller: Caller): Promise<CompiledFlag> {
    const known = this.find(flag_key, caller.actor.scope);
    if (known) return known;
    if (this.flags.get(flag_key)) throw flagNotFound(flag_key);
    return this.compiledOf(this.learn(await this.bus.ask(getFlag, { flag_key }, caller)));
  }

  /** In the order of their names. Throws as above. */
  allEvaluators(): Evaluator[] {
    this.assertComplete();
    return [...this.evaluators.values()].sort((a, b) => compareTexts(a.name, b.name));
  }

  list(filter: FlagFilter, { actor }: Caller): Page<Flag> {
    this.assertComplete();
    const { scope } = actor;
    const accepts = matching(filter, Date.now());
    const [place] = filter.cursor === undefined ? [] : cursorParts(filter.cursor, 1);
    const after = place === undefined ? undefined : ({ flag_key }: Flag) => compareTexts(flag_key, place);
    return pageFrom(
      filter,
      (count) => this.ordered.take(count, (flag) => accepts(flag) && this.isVisible(flag, scope), { after, descending: false }),
      ({ flag_key }) => cursorText([flag_key]),
      recordText,
    );
  }

  /** What the flags service just answered, known here before the view brings it round. */
  learn(flag: Flag): Flag {
    this.flags.learn(flag);
    return flag;
  }

  unlearn(flag_key: string): void {
    this.flags.unlearn(flag_key);
  }

  /** A text that differs wherever answers may: the same at every gateway that has heard of the same changes. */
  revisionFor(scope: Scope): string {
    const followed = isNarrowed(scope) ? [this.flags, this.evaluators, this.models.projection] : [this.flags, this.evaluators];
    return followed.map(({ latest, unheard }) => `${latest.sequence} ${latest.at_ms} ${unheard}`).join('|');
  }

  /** Before any of the parts is known as a whole, nothing can be told of a flag. */
  private assertComplete(): void {
    if (!this.flags.ready || !this.evaluators.ready) throw serviceUnavailable('flags');
    if (!this.models.projection.ready) throw serviceUnavailable('registry');
  }

  private isVisible(flag: Flag, scope: Scope): boolean {
    return flagInScope(scope, flag, (model_id) => this.models.projection.get(model_id));
  }

  private setFor(scope: Scope): FlagSet {
    const visible = this.ordered.take(Infinity, (flag) => this.isVisible(flag, scope), { descending: false });
    const rules = [...this.evaluators.values()].map(({ rule }) => rule);
    return {
      flags: visible.map((flag) => this.compiledOf(flag)),
      // flagd's name for the time, wherever in a rule it stands.
      timed: JSON.stringify([rules, visible.map(({ targeting }) => targeting)]).includes('$flagd.timestamp'),
    };
  }

  private compiledOf(flag: Flag): CompiledFlag {
    const known = this.compiled.get(flag.flag_key);
    if (known?.flag === flag) return known;
    this.rules ??= Object.fromEntries([...this.evaluators.values()].map(({ name, rule }) => [name, rule]));
    const compiled = compileFlag(flag, this.rules);
    this.compiled.set(flag.flag_key, compiled);
    return compiled;
  }

  private drop(flag: Flag): void {
    this.sets.clear();
    this.ordered.remove(flag);
    this.compiled.delete(flag.flag_key);
  }
}

function matching({ model_id, owner, tag, expired }: FlagFilter, now: number): (flag: Flag) => boolean {
  return (flag) =>
    (model_id === undefined || Object.values(flag.variant_models).includes(model_id)) &&
    (owner === undefined || flag.owner === owner) &&
    (tag === undefined || flag.tags.includes(tag)) &&
    (expired === undefined || (flag.expires_at !== null && Date.parse(flag.expires_at) <= now) === expired);
}
