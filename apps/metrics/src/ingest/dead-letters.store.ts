import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type DeadLetter, type DeadLetterFilter, type NotReplayed, type Replayed } from '#contracts/dead-letters.js';
import { type Page } from '#contracts/page.js';
import { AuditStore } from '#runtime/audit.store.js';
import { badCursor, cursorParts, cursorText, fillPage } from '#runtime/cursor.js';
import { KnownModels } from '../known-models.store.js';
import { WindowSums } from '../windows/window-sums.store.js';
import { countEvents, type Existence } from './count-batch.js';
import { DeadLetterEntity } from './dead-letter.entity.js';
import { ErrorTypes } from './error-types.js';
import { decodeMessage, type InferenceEvent } from './inference-event.js';
import { PostgresTransaction } from './ingest.store.js';

@Injectable()
export class DeadLettersStore {
  private readonly windows = new WindowSums();

  constructor(
    private readonly database: DataSource,
    private readonly known: KnownModels,
    private readonly types: ErrorTypes,
    private readonly audit: AuditStore,
  ) {}

  /** Newest first. */
  async list(filter: DeadLetterFilter): Promise<Page<DeadLetter>> {
    const query = this.database.getRepository(DeadLetterEntity).createQueryBuilder('letter').orderBy('letter.letter_id', 'DESC');
    if (filter.model_id !== undefined) query.andWhere('letter.model_id = :model_id', { model_id: filter.model_id });
    if (filter.source !== undefined) query.andWhere('letter.source = :source', { source: filter.source });
    if (filter.cursor !== undefined) query.andWhere('letter.letter_id < :after', { after: letterCursor(filter.cursor) });
    return fillPage(
      filter,
      async (rows) => (await query.take(rows).getMany()).map(shown),
      ({ letter_id }) => cursorText([letter_id]),
    );
  }

  /** Counts what can be counted now and removes it from the list, in one transaction: an answer that was lost may be asked for again. */
  async replay(letter_ids: string[]): Promise<Replayed> {
    return this.database.transaction(async (manager) => {
      const letters = await lock(manager, letter_ids);
      const events = new Map(letters.map((letter) => [letter, eventsOf(letter)]));
      const ids = [...events.values()].flatMap((read) => (typeof read === 'string' ? [] : read.map(({ model_id }) => model_id)));
      const existence = await this.known.existence([...new Set(ids)]);
      const refused: NotReplayed[] = missing(letter_ids, letters);
      const good: DeadLetterEntity[] = [];
      for (const [letter, read] of events) {
        const reason = typeof read === 'string' ? read : absence(read, existence);
        if (reason === null) good.push(letter);
        else refused.push({ letter_id: letter.letter_id, reason });
      }
      if (good.length) await this.count(manager, good, events as Map<DeadLetterEntity, InferenceEvent[]>, existence);
      return { replayed: good.length, refused };
    });
  }

  private async count(
    manager: EntityManager,
    letters: DeadLetterEntity[],
    events: Map<DeadLetterEntity, InferenceEvent[]>,
    existence: Map<string, Existence>,
  ): Promise<void> {
    const query = <Row>(sql: string, parameters: unknown[]): Promise<Row[]> => manager.query<Row[]>(sql, parameters);
    const messages = letters.map((letter) => ({ ...letter, batch: false, events: events.get(letter) ?? [], rejected: [] }));
    await countEvents(new PostgresTransaction(query, this.windows), messages, existence, this.types, Date.now());
    const ids = letters.map(({ letter_id }) => letter_id);
    await manager.delete(DeadLetterEntity, ids);
    for (const letter of letters) {
      await this.audit.write(manager, {
        action: 'dead_letter.replayed',
        subject_type: 'dead_letter',
        subject_id: letter.letter_id,
        before: shown(letter),
        after: null,
      });
    }
  }
}

const lock = (manager: EntityManager, letter_ids: string[]): Promise<DeadLetterEntity[]> =>
  manager
    .createQueryBuilder(DeadLetterEntity, 'letter')
    .where('letter.letter_id = ANY(:ids::bigint[])', { ids: letter_ids })
    .orderBy('letter.letter_id')
    .setLock('pessimistic_write')
    .getMany();

const missing = (letter_ids: string[], letters: DeadLetterEntity[]): NotReplayed[] => {
  const found = new Set(letters.map(({ letter_id }) => letter_id));
  return letter_ids
    .filter((id) => !found.has(id))
    .map((letter_id) => ({ letter_id, reason: 'it is not there: never was, was replayed, or had its time' }));
};

/** All events of a letter, or why it cannot be read as whole. */
function eventsOf({ body, at }: DeadLetterEntity): InferenceEvent[] | string {
  const { events, rejected } = decodeMessage(body, Date.parse(at));
  return rejected[0]?.reason ?? events;
}

function absence(events: InferenceEvent[], existence: Map<string, Existence>): string | null {
  const absent = events.find(({ model_id }) => existence.get(model_id) !== 'known');
  if (!absent) return null;
  const { model_id } = absent;
  return existence.get(model_id) === 'unknown'
    ? `model_id; there is no model ${model_id}`
    : `model_id; nobody can tell now whether there is a model ${model_id}`;
}

const shown = ({ letter_id, at, source, sequence, event, model_id, reason, body }: DeadLetterEntity): DeadLetter => ({
  letter_id,
  at,
  source,
  sequence,
  event,
  model_id,
  reason,
  // jsonb and JSON clients alike stumble over NUL.
  body: Buffer.from(body).toString('utf8').replaceAll('\u0000', '\ufffd'),
});

const maxLetterId = 2n ** 63n;

function letterCursor(cursor: string): string {
  const [id = ''] = cursorParts(cursor, 1);
  if (/^\d{1,19}$/.test(id) && BigInt(id) < maxLetterId) return id;
  throw badCursor(cursor);
}
