import { Controller, Post } from '@nestjs/common';
import { AppError, invalidInput, serviceUnavailable } from '#contracts/errors.js';
import { InferenceBatch, InferenceBatchRecorded, InferenceRecord, InferenceRecorded } from '#contracts/inference.js';
import { type Caller } from '#runtime/caller.js';
import { lasting } from './answer-body.js';
import { By } from './by.decorator.js';
import { IdempotencyKey, TakesIdempotencyKey } from './idempotency-key.decorator.js';
import { IdempotencyStore, sha256 } from './idempotency.store.js';
import { isRefusal, type Judged, judgeItems, judgeModels, type ModelSight, payloadOf, recorded } from './inference-batch.js';
import { InferencePublisher } from './inference.publisher.js';
import { KnownModels } from './known-models.store.js';
import { Input, Serves } from './serves.decorator.js';

let now_ms = 0;
let nowText = '';

/** The present time in ISO 8601, whose text is made once a millisecond. */
function isoNow(): string {
  const now = Date.now();
  if (now !== now_ms) {
    now_ms = now;
    nowText = new Date(now).toISOString();
  }
  return nowText;
}

/** The registry is asked about models that the view does not know: so many at a time. */
const askedAtOnce = 16;
const recordedOne = lasting<InferenceRecorded>({ message: 'Inference recorded successfully' });

@Controller()
export class InferenceController {
  constructor(
    private readonly known: KnownModels,
    private readonly inferences: InferencePublisher,
    private readonly idempotency: IdempotencyStore,
  ) {}

  @Post('registry/:model_id/inference')
  @Serves({
    input: InferenceRecord,
    output: InferenceRecorded,
    role: 'client',
    path: ['model_id'],
    from: 'query',
    summary: 'Record inference timing and success/failure for performance monitoring',
  })
  @TakesIdempotencyKey()
  recordInference(
    @Input() input: InferenceRecord,
    @IdempotencyKey() key: string | undefined,
    @By() caller: Caller,
  ): Promise<InferenceRecorded> {
    const { model_id, success = true, error } = input;
    if (success && error) throw invalidInput([{ field: 'error', value: error, accepted: 'an error only with success=false' }]);
    const isKnown = this.known.inView(model_id, caller) !== undefined;
    // As a rule one wait is all there is: an async function has several.
    return isKnown && key === undefined ? this.recordNow(input) : this.recordLater(input, key, caller);
  }

  @Post('inference/batch')
  @Serves({
    input: InferenceBatch,
    output: InferenceBatchRecorded,
    role: 'client',
    from: 'body',
    summary: 'Record many inferences, of any models, as JSON or NDJSON: each is recorded or refused by itself',
  })
  @TakesIdempotencyKey()
  async recordInferences(
    @Input() { events }: InferenceBatch,
    @IdempotencyKey() key: string | undefined,
    @By() caller: Caller,
  ): Promise<InferenceBatchRecorded> {
    const items = judgeItems(events);
    const sights = await this.lookAt(items, caller);
    if (key === undefined) return this.recordOnce(judgeModels(items, sights));
    return this.recordUnder(key, items, sights, caller);
  }

  private recordNow(input: InferenceRecord): Promise<InferenceRecorded> {
    return this.inferences.publish(input, isoNow()).then(() => recordedOne);
  }

  private async recordLater(input: InferenceRecord, key: string | undefined, caller: Caller): Promise<InferenceRecorded> {
    await this.known.require(input.model_id, caller);
    if (key === undefined) return this.recordNow(input);
    const received_at = isoNow();
    const name = this.idempotency.nameOf(key, 'inference', caller);
    await this.idempotency.claim(name, { payload_sha256: sha256(payloadOf([input])), unknown_models: [] }, caller);
    await Promise.all(this.inferences.publishAs(`idem:${name}`, [input], received_at));
    return recordedOne;
  }

  private async recordOnce(items: Judged[]): Promise<InferenceBatchRecorded> {
    const received_at = isoNow();
    return answered(
      items,
      items.map((judged) => (isRefusal(judged) ? nothing : this.inferences.publish(judged, received_at))),
    );
  }

  /** What the registry said of the models when the request first came counts for its retries: their messages must be the same. */
  private async recordUnder(
    key: string,
    items: Judged[],
    sights: Map<string, ModelSight>,
    caller: Caller,
  ): Promise<InferenceBatchRecorded> {
    if ([...sights.values()].includes('unsure')) throw serviceUnavailable('registry');
    const name = this.idempotency.nameOf(key, 'inference/batch', caller);
    const unknown_models = [...sights].filter(([, sight]) => sight === 'absent').map(([model_id]) => model_id);
    const first = await this.idempotency.claim(name, { payload_sha256: sha256(payloadOf(items)), unknown_models }, caller);
    const then = new Map([...sights.keys()].map((model_id): [string, ModelSight] => [model_id, 'visible']));
    for (const model_id of first.unknown_models) then.set(model_id, 'absent');
    const judged = judgeModels(items, then);
    const inferences = judged.map((one) => (isRefusal(one) ? undefined : one));
    return answered(judged, this.inferences.publishAs(`idem:${name}`, inferences, isoNow()));
  }

  private async lookAt(items: Judged[], caller: Caller): Promise<Map<string, ModelSight>> {
    const ids = [...new Set(items.flatMap((judged) => (isRefusal(judged) ? [] : [judged.model_id])))];
    const sights = new Map<string, ModelSight>();
    const rest = ids.values();
    let away = false;
    const look = async (): Promise<void> => {
      for (const model_id of rest) {
        // One that did not answer is not waited for again.
        const sight = away && !this.known.has(model_id) ? 'unsure' : await this.sightOf(model_id, caller);
        away ||= sight === 'unsure';
        sights.set(model_id, sight);
      }
    };
    await Promise.all(Array.from({ length: askedAtOnce }, look));
    return sights;
  }

  private async sightOf(model_id: string, caller: Caller): Promise<ModelSight> {
    try {
      await this.known.require(model_id, caller);
      return 'visible';
    } catch (error) {
      const code = error instanceof AppError ? error.code : null;
      if (code === 'MODEL_NOT_FOUND') return 'absent';
      if (code === 'SERVICE_UNAVAILABLE') return 'unsure';
      throw error;
    }
  }
}

const nothing = Promise.resolve();

/** 503 only when nothing is known to be stored: of a batch that was stored in part each item says what became of it. */
async function answered(items: Judged[], storing: Promise<void>[]): Promise<InferenceBatchRecorded> {
  const outcomes = await Promise.allSettled(storing);
  const failures = outcomes.map((outcome): AppError | null => {
    if (outcome.status === 'fulfilled') return null;
    if (outcome.reason instanceof AppError) return outcome.reason;
    throw outcome.reason;
  });
  const failure = failures.find((one) => one !== null);
  if (failure && !items.some((judged, index) => !isRefusal(judged) && failures[index] === null)) throw failure;
  const stored = failures.map((one) => (one ? (one.details?.recorded === 'unknown' ? 'unknown' : 'no') : 'yes'));
  return recorded(items, stored);
}
