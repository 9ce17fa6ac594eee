import { Controller } from '@nestjs/common';
import { type AuditEntry, type AuditFilter, listAuditOf } from '#contracts/audit.js';
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
import { AuditStore } from '#runtime/audit.store.js';
import { DeadLettersStore } from './dead-letters.store.js';

@Controller()
export class DeadLettersHandlers {
  constructor(
    private readonly letters: DeadLettersStore,
    private readonly audit: AuditStore,
  ) {}

  @Answers(listDeadLetters)
  async listDeadLetters(filter: DeadLetterFilter): Promise<Page<DeadLetter>> {
    return this.letters.list(filter);
  }

  @Answers(replayDeadLetters)
  async replayDeadLetters({ letter_ids }: Replay): Promise<Replayed> {
    return this.letters.replay([...new Set(letter_ids)]);
  }

  @Answers(listAuditOf('metrics'))
  async listAudit(filter: AuditFilter): Promise<Page<AuditEntry>> {
    return this.audit.list(filter);
  }
}
