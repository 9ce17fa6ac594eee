import { Controller } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { isNarrowed } from '#contracts/access.js';
import { AppError, raise } from '#contracts/errors.js';
import { type NoInput } from '#contracts/request.js';
import { awaitNightly, type NightlyAwait, type NightlyState, startNightly } from '#contracts/validation.js';
import { Answers } from '#runtime/answers.js';
import { currentCaller } from '#runtime/caller.js';
import { NightlyExecutor, stateOf } from './nightly.executor.js';

const pollMs = 100;

@Controller()
export class NightlyHandlers {
  constructor(private readonly nightly: NightlyExecutor) {}

  /** While a round is under way this answers with that one. */
  @Answers(startNightly)
  async startNightly(_: NoInput): Promise<NightlyState> {
    if (isNarrowed(currentCaller().actor.scope)) {
      throw new AppError('OUT_OF_SCOPE', 'The nightly validation is for all models; this key is narrowed to some');
    }
    for (;;) {
      // Null: the round that was under way ended between two statements.
      const started = await this.nightly.start(`asked_${randomUUID()}`);
      if (started) return stateOf(started);
    }
  }

  @Answers(awaitNightly)
  async awaitNightly({ nightly_id, wait_ms }: NightlyAwait): Promise<NightlyState> {
    const deadline = Date.now() + wait_ms;
    for (;;) {
      await this.nightly.closeOver();
      const nightly = (await this.nightly.find(nightly_id)) ?? raise(new AppError('RUN_NOT_FOUND', `Nightly run ${nightly_id} not found`));
      if (!nightly.unfinished || Date.now() > deadline) return stateOf(nightly);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}
