import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { isNarrowed } from '#contracts/access.js';
import { AppError, invalidInput } from '#contracts/errors.js';
import { EvaluatorPut } from '#contracts/flag-evaluators.js';
import {
  type FlagImport,
  importFlags,
  type ImportedEvaluator,
  type ImportedFlag,
  type ImportReport,
  maxImportedFlags,
} from '#contracts/flag-import.js';
import { maxTargetingBytes } from '#contracts/flags.js';
import { problemsIn } from '#contracts/parse.js';
import { targetingProblems } from '#evaluation/targeting-rules.js';
import { Answers } from '#runtime/answers.js';
import { currentCaller } from '#runtime/caller.js';
import { changesAnything } from '#runtime/changes.js';
import { EvaluatorsStore } from '../evaluators.store.js';
import { FlagsStore } from '../flags.store.js';
import { newFlag } from '../new-flag.js';
import { type Candidate, type Imported, isObject, isWithin } from './candidate.js';
import { changeFrom, importable, lossOf, readDocument, tooLarge } from './imported-flag.js';

@Controller()
export class ImportHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly flags: FlagsStore,
    private readonly evaluators: EvaluatorsStore,
  ) {}

  /**
   * All that can be carried over is written in one transaction. An asker that does not hear the answer asks again: what is there already is
   * unchanged.
   */
  @Answers(importFlags)
  async importFlags({ format, document, dry_run = false }: FlagImport): Promise<ImportReport> {
    assertNotNarrowed();
    const imported = isObject(document) ? readDocument(format, document) : { candidates: [], evaluators: [] };
    assertSize(format, imported);
    const report = await this.database.transaction(async (manager): Promise<ImportReport> => {
      await this.evaluators.exclusive(manager);
      const known = new Set((await this.evaluators.all(manager)).map(({ name }) => name));
      const evaluators: ImportedEvaluator[] = [];
      for (const evaluator of byKey(imported.evaluators, ({ name }) => name)) {
        const one = await this.importEvaluator(manager, evaluator, dry_run);
        if (one.outcome !== 'refused') known.add(evaluator.name);
        evaluators.push(one);
      }
      const flags: ImportedFlag[] = [];
      const candidates = byKey(imported.candidates, ({ flag_key }) => flag_key);
      for (const [at, candidate] of candidates.entries()) {
        const again = candidates[at - 1]?.flag_key === candidate.flag_key;
        flags.push(again ? refusedAgain(candidate) : await this.importFlag(manager, candidate, [...known], dry_run));
      }
      return { dry_run, flags, evaluators };
    });
    this.flags.changed();
    return report;
  }

  private async importEvaluator(
    manager: EntityManager,
    { name, rule }: Imported['evaluators'][number],
    dry_run: boolean,
  ): Promise<ImportedEvaluator> {
    if (!isWithin(rule, maxTargetingBytes)) return { name: name.slice(0, 1_000), outcome: 'refused', lost: [tooLarge('rule')] };
    const problems = [...problemsIn(EvaluatorPut, { name, rule }), ...targetingProblems(rule, { path: 'rule', evaluators: [] })];
    if (problems.length) return { name: name.slice(0, 1_000), outcome: 'refused', lost: problems.map(lossOf) };
    const before = await this.evaluators.find(manager, name);
    const changes = !before || changesAnything(before, { rule });
    if (changes && !dry_run) await this.evaluators.put(manager, before, { name, rule });
    return { name, outcome: !before ? 'created' : changes ? 'changed' : 'unchanged', lost: [] };
  }

  private async importFlag(manager: EntityManager, candidate: Candidate, evaluators: string[], dry_run: boolean): Promise<ImportedFlag> {
    const flag_key = candidate.flag_key.slice(0, 1_000);
    const { flag, lost } = importable(candidate, evaluators);
    if (!flag) return { flag_key, outcome: 'refused', lost };
    const before = await this.flags.lock(manager, flag.flag_key);
    if (!before) {
      const made = newFlag(flag, { now: new Date().toISOString(), created_by: currentCaller().actor.name });
      if (!dry_run) await this.flags.add(manager, made);
      return { flag_key, outcome: 'created', lost };
    }
    const change = changeFrom(flag);
    if (!changesAnything(before, { ...change, split: null })) return { flag_key, outcome: 'unchanged', lost };
    const unbound = Object.keys(before.variant_models).filter((variant) => !Object.hasOwn(flag.variants, variant));
    if (before.rollout_id !== null) return refused(flag_key, `rollout ${before.rollout_id} alone changes it now`);
    if (unbound.length)
      return refused(flag_key, `the flag that is there binds models to variants that this one has not: ${unbound.join(', ')}`);
    if (!dry_run) await this.flags.change(manager, before, { ...change, split: null }, 'imported');
    return { flag_key, outcome: 'changed', lost };
  }
}

const refused = (flag_key: string, reason: string): ImportedFlag => ({
  flag_key,
  outcome: 'refused',
  lost: [{ field: 'flag_key', reason: reason.slice(0, 500) }],
});

const refusedAgain = ({ flag_key }: Candidate): ImportedFlag =>
  refused(flag_key.slice(0, 1_000), 'the document has another flag of this key');

/** In one order, so that two imports do not wait for each other in a circle. */
const byKey = <Item>(items: Item[], keyOf: (item: Item) => string): Item[] => [...items].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));

function assertSize(format: string, { candidates, evaluators }: Imported): void {
  if (candidates.length + evaluators.length > 0 && candidates.length <= maxImportedFlags) return;
  throw invalidInput([
    { field: 'document', value: { flags: candidates.length }, accepted: `a ${format} document with 1 to ${maxImportedFlags} flags` },
  ]);
}

/** What is imported is bound to no model, so everybody's. */
function assertNotNarrowed(): void {
  if (!isNarrowed(currentCaller().actor.scope)) return;
  throw new AppError('OUT_OF_SCOPE', 'An import writes flags of all models; this key is narrowed to some', {
    accepted: 'a key that is not narrowed',
  });
}
