import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { isNarrowed } from '#contracts/access.js';
import { AppError, assertRevision, invalidInput, raise } from '#contracts/errors.js';
import { type JsonValue } from '#contracts/fields.js';
import {
  type Evaluator,
  type EvaluatorPut,
  type EvaluatorRef,
  type EvaluatorRemoval,
  type Evaluators,
  getEvaluator,
  listEvaluators,
  putEvaluator,
  removeEvaluator,
} from '#contracts/flag-evaluators.js';
import { type NoInput, type Removed } from '#contracts/request.js';
import { referencesOf, targetingProblems } from '#evaluation/targeting-rules.js';
import { Answers } from '#runtime/answers.js';
import { currentCaller } from '#runtime/caller.js';
import { EvaluatorsStore } from './evaluators.store.js';
import { FlagEntity } from './flag.entity.js';

@Controller()
export class EvaluatorsHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly evaluators: EvaluatorsStore,
  ) {}

  @Answers(listEvaluators)
  async listEvaluators(_: NoInput): Promise<Evaluators> {
    return { evaluators: await this.evaluators.all() };
  }

  @Answers(getEvaluator)
  async getEvaluator({ name }: EvaluatorRef): Promise<Evaluator> {
    return (await this.evaluators.find(this.database.manager, name)) ?? raise(evaluatorNotFound(name));
  }

  /** Flags that refer to it follow at once. */
  @Answers(putEvaluator)
  async putEvaluator({ name, rule, description, if_match }: EvaluatorPut): Promise<Evaluator> {
    assertMayWriteEvaluators(name);
    assertEvaluatorRule(rule);
    const evaluator = await this.database.transaction(async (manager) => {
      await this.evaluators.exclusive(manager);
      const before = await this.evaluators.find(manager, name);
      if (if_match) assertRevision(`Evaluator ${name}`, (before ?? raise(evaluatorNotFound(name))).revision, if_match);
      return this.evaluators.put(manager, before, { name, rule, description });
    });
    this.evaluators.changed();
    return evaluator;
  }

  @Answers(removeEvaluator)
  async removeEvaluator({ name, if_match }: EvaluatorRemoval): Promise<Removed> {
    assertMayWriteEvaluators(name);
    await this.database.transaction(async (manager) => {
      await this.evaluators.exclusive(manager);
      const evaluator = (await this.evaluators.find(manager, name)) ?? raise(evaluatorNotFound(name));
      assertRevision(`Evaluator ${name}`, evaluator.revision, if_match);
      const flag_keys = await flagsThatReferTo(manager, name);
      if (flag_keys.length)
        throw new AppError('EVALUATOR_IN_USE', `Flags refer to the evaluator ${name}`, { flag_keys: flag_keys.slice(0, 10) });
      await this.evaluators.remove(manager, evaluator);
    });
    this.evaluators.changed();
    return { removed: true };
  }
}

const evaluatorNotFound = (name: string): AppError => new AppError('EVALUATOR_NOT_FOUND', `Evaluator ${name} not found`);

/** Evaluators refer to no others, so that what a flag's rule costs is bounded by its own size and theirs. */
function assertEvaluatorRule(rule: JsonValue): void {
  const problems = targetingProblems(rule, { path: 'rule', evaluators: [] });
  if (problems.length) throw invalidInput(problems);
}

/** Flags of every model may refer to it: a narrowed key leaves it as it is. */
function assertMayWriteEvaluators(name: string): void {
  if (!isNarrowed(currentCaller().actor.scope)) return;
  throw new AppError('OUT_OF_SCOPE', `Evaluator ${name} is shared by the flags of all models; this key is narrowed to some`, {
    accepted: 'a key that is not narrowed',
  });
}

async function flagsThatReferTo(manager: EntityManager, name: string): Promise<string[]> {
  const flags = await manager
    .createQueryBuilder(FlagEntity, 'flag')
    .where('flag.targeting::text LIKE :ref', { ref: `%"$ref"%` })
    .orderBy('flag.flag_key')
    .getMany();
  return flags.filter(({ targeting }) => referencesOf(targeting).has(name)).map(({ flag_key }) => flag_key);
}
