import { Controller } from '@nestjs/common';
import { type RetentionRequest, type RetentionResult, runRetention } from '#contracts/registry.js';
import { Answers } from '#runtime/answers.js';
import { RetentionStore } from './retention.store.js';

@Controller()
export class RetentionHandlers {
  constructor(private readonly retention: RetentionStore) {}

  @Answers(runRetention)
  async runRetention({ dry_run = false }: RetentionRequest): Promise<RetentionResult> {
    return this.retention.run(dry_run);
  }
}
