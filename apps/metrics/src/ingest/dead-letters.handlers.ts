import { Controller } from '@nestjs/common';
import {
  type DeadLetter,
  type DeadLetterFilter,
  listDeadLetters,
  type Replay,
  type Replayed,
  replayDeadLetters,
} from '#contracts/dead-letters.js';
import { type Page } from '#contracts/page.js';
import { Answers } from '#runtime/answers.js';
import { DeadLettersStore } from './dead-letters.store.js';

@Controller()
export class DeadLettersHandlers {
  constructor(private readonly letters: DeadLettersStore) {}

  @Answers(listDeadLetters)
  async listDeadLetters(filter: DeadLetterFilter): Promise<Page<DeadLetter>> {
    return this.letters.list(filter);
  }

  @Answers(replayDeadLetters)
  async replayDeadLetters({ letter_ids }: Replay): Promise<Replayed> {
    return this.letters.replay([...new Set(letter_ids)]);
  }
}
