import { Instant, Parts, Text, Texts, Whole } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { request } from './request.js';

const letterId = { max: 19, pattern: /^[1-9]\d{0,18}$/, accepted: 'letter_ids of GET /dead-letters' };

/** An inference event, or a message of them, that could not be counted. */
export class DeadLetter {
  @Text(letterId)
  letter_id!: string;

  @Instant()
  at!: string;

  @Text({ max: 100, description: 'Who published it: the producer, or the stream for one that names none.' })
  source!: string;

  @Whole({ description: 'Its number among the messages of the source.' })
  sequence!: number;

  @Whole({ min: -1, description: 'Its place in the message; -1: the message as a whole.' })
  event!: number;

  @Text({ max: 64, nullable: true, description: 'Where it names a model that does not exist.' })
  model_id!: string | null;

  @Text({ max: 1000, description: 'The field and what is accepted.' })
  reason!: string;

  @Text({ min: 0, max: 20_000, description: 'The event as JSON, or the first 4 kB of the message.' })
  body!: string;
}

export class DeadLetterFilter extends PageRequest {
  @Text({ max: 64, optional: true, description: 'Only events that name this model.' })
  model_id?: string;

  @Text({ max: 100, optional: true, description: 'Only what this producer published.' })
  source?: string;
}

export class DeadLetterPage extends pageOf(DeadLetter) {}

export class Replay {
  @Texts({ ...letterId, min_items: 1, max_items: 1000 })
  letter_ids!: string[];
}

export class NotReplayed {
  @Text(letterId)
  letter_id!: string;

  @Text({ max: 1000 })
  reason!: string;
}

export class Replayed {
  @Whole({ description: 'Letters whose events are counted now; they are gone from the list.' })
  replayed!: number;

  @Parts(() => NotReplayed, { description: 'Letters that still cannot be counted, or are not there.' })
  refused!: NotReplayed[];
}

export const listDeadLetters = request('metrics.list_dead_letters', { input: DeadLetterFilter, output: DeadLetterPage });
export const replayDeadLetters = request('metrics.replay_dead_letters', { input: Replay, output: Replayed });
