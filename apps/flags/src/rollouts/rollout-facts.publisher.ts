import { Injectable } from '@nestjs/common';
import { type Counter } from 'prom-client';
import { type RolloutEnding, type RolloutEvent, subjectOfRollout } from '#contracts/rollouts.js';
import { ensureFactStream } from '#runtime/fact.stream.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { Telemetry } from '#runtime/telemetry.js';
import { type PlannedChange, type RolloutEntity } from './rollout.entity.js';

/** The changes that end a rollout, and what they are told as. */
const endings: Partial<Record<PlannedChange['change'], RolloutEnding>> = {
  rollback: 'rolled_back',
  abort: 'aborted',
  release: 'completed',
};

/** Tells of rollouts that ended, on JetStream. */
@Injectable()
export class RolloutFacts {
  private streamIsThere = false;
  private readonly endings: Counter<'ending'>;

  constructor(
    private readonly nats: Nats,
    private readonly logger: Logger,
    telemetry: Telemetry,
  ) {
    this.endings = telemetry.counter(
      'emr_rollout_endings_total',
      'Rollouts that ended, by how; told once by the replica that told of it.',
      ['ending'],
    );
    for (const ending of Object.values(endings)) this.endings.inc({ ending }, 0);
  }

  /** Whether all that is to be told of the pending change is stored by JetStream. Told again, it has the same id. */
  async tell({ rollout_id, flag_key, candidate_model_id, control_model_id, pending }: RolloutEntity): Promise<boolean> {
    const event = pending && endings[pending.change];
    if (!event || pending.told) return true;
    const event_id = `${rollout_id}:${event}`;
    const { since, reason } = pending;
    const fact: RolloutEvent = { event_id, event, at: since, rollout_id, flag_key, candidate_model_id, control_model_id, reason };
    try {
      if (!this.nats.connected) return false;
      if (!this.streamIsThere) await ensureFactStream(this.nats);
      this.streamIsThere = true;
      await this.nats.js.publish(subjectOfRollout(event), JSON.stringify(fact), { msgID: event_id });
      this.endings.inc({ ending: event });
      return true;
    } catch (error) {
      // The stream may be gone with NATS's store: looked for again on the next turn.
      this.streamIsThere = false;
      this.logger.failure('Could not tell of a rollout that ended; trying again', error, { rollout_id });
      return false;
    }
  }
}
