import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { inScope } from '#contracts/access.js';
import {
  createSilence,
  listSilences,
  type NewSilence,
  removeSilence,
  type Silence,
  type SilenceFilter,
  type SilenceRef,
} from '#contracts/alerts.js';
import { AppError, type FieldProblem, invalidInput, raise } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { type Removed } from '#contracts/request.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller } from '#runtime/caller.js';
import { cursorText, fillPage, uuidCursor } from '#runtime/cursor.js';
import { insertRow } from '#runtime/rows.js';
import { KnownModels } from '../known-models.store.js';
import { SilenceEntity } from './alert.entity.js';
import { assertRoom } from './limits.store.js';
import { withoutNull } from './rule-scope.js';

const yearMs = 366 * 24 * 60 * 60_000;

@Controller()
export class SilencesHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly known: KnownModels,
  ) {}

  /** The newest first, also those that are over. A narrowed key sees those of its models alone. */
  @Answers(listSilences)
  async listSilences(filter: SilenceFilter): Promise<Page<Silence>> {
    const query = this.database.getRepository(SilenceEntity).createQueryBuilder('silence').orderBy('silence.silence_id', 'DESC');
    if (filter.cursor !== undefined) query.andWhere('silence.silence_id < :after', { after: uuidCursor(filter.cursor) });
    const page = await fillPage(
      filter,
      (rows) => query.take(rows).getMany(),
      ({ silence_id }) => cursorText([silence_id]),
    );
    return { ...page, items: page.items.filter((silence) => this.isMine(silence)) };
  }

  @Answers(createSilence)
  async createSilence({ matchers, until, reason }: NewSilence): Promise<Silence> {
    const now = Date.now();
    const silence: SilenceEntity = {
      silence_id: uuidv7(),
      matchers: withoutNull(matchers),
      until: new Date(until).toISOString(),
      reason,
      created_at: new Date(now).toISOString(),
      created_by: currentCaller().actor.name,
    };
    const problems: FieldProblem[] = [];
    if (Object.keys(silence.matchers).length === 0) {
      problems.push({ field: 'matchers', value: matchers, accepted: 'at least one of model_id, rule_id, severity' });
    }
    const end = Date.parse(until);
    if (end <= now || end > now + yearMs) problems.push({ field: 'until', value: until, accepted: 'a time from now to a year ahead' });
    if (problems.length) throw invalidInput(problems);
    if (silence.matchers.model_id) await this.known.require(silence.matchers.model_id, currentCaller());
    if (!this.isMine(silence)) {
      throw invalidInput([{ field: 'matchers.model_id', accepted: 'a model of this key’s scope, which a narrowed key must name' }]);
    }
    return this.database.transaction(async (manager) => {
      await assertRoom(manager, 'active_silences');
      await insertRow(manager, SilenceEntity, silence);
      const subject = { subject_type: 'silence', subject_id: silence.silence_id };
      await this.audit.write(manager, { action: 'silence.created', ...subject, reason, before: null, after: silence });
      return silence;
    });
  }

  /** What it held back and still fires is told at the next evaluation. */
  @Answers(removeSilence)
  async removeSilence({ silence_id }: SilenceRef): Promise<Removed> {
    const absent = new AppError('SILENCE_NOT_FOUND', `Silence ${silence_id} not found`);
    await this.database.transaction(async (manager) => {
      const row = await manager.findOne(SilenceEntity, { where: { silence_id }, lock: { mode: 'pessimistic_write' } });
      const before = row && this.isMine(row) ? row : raise(absent);
      await manager.delete(SilenceEntity, { silence_id });
      const subject = { subject_type: 'silence', subject_id: silence_id };
      await this.audit.write(manager, { action: 'silence.removed', ...subject, before, after: null });
    });
    return { removed: true };
  }

  private isMine({ matchers }: SilenceEntity): boolean {
    const { scope } = currentCaller().actor;
    if (!scope.sports && !scope.names) return true;
    const model = this.known.find(matchers.model_id);
    return model !== undefined && inScope(scope, model);
  }
}
