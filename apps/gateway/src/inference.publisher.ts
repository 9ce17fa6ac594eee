import { randomUUID } from 'node:crypto';
import { headers as createHeaders } from '@nats-io/transport-node';
import { Injectable } from '@nestjs/common';
import { serviceUnavailable } from '#contracts/errors.js';
import { type InferenceRecord, inferenceStream } from '#contracts/inference.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';

const attempts = 2;
const attemptTimeoutMs = 1_000;

/**
 * Puts inferences on the stream and resolves once JetStream has stored them. Every message carries this process's name and its number, so
 * that the second attempt of one whose acknowledgement was lost is counted once.
 */
@Injectable()
export class InferencePublisher {
  private readonly producer = randomUUID();
  private sequence = 0;

  constructor(
    private readonly nats: Nats,
    private readonly logger: Logger,
  ) {}

  /** Throws SERVICE_UNAVAILABLE when NATS does not acknowledge within 2 s, or refuses because the stream is full or missing. */
  async publish({ model_id, timing_ms, success = true, error }: InferenceRecord, occurred_at: string): Promise<void> {
    if (!this.nats.connected) throw serviceUnavailable('metrics');
    const payload = JSON.stringify({ model_id, timing_ms, success, error, occurred_at });
    const sequence = String(this.sequence++);
    const headers = createHeaders();
    headers.set(inferenceStream.producerHeader, this.producer);
    headers.set(inferenceStream.sequenceHeader, sequence);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.nats.js.publish(inferenceStream.subject, payload, {
          headers,
          msgID: `${this.producer}:${sequence}`,
          timeout: attemptTimeoutMs,
        });
        return;
      } catch (failure) {
        if (attempt < attempts && this.nats.connected) continue;
        this.logger.failure('JetStream did not take an inference', failure);
        throw serviceUnavailable('metrics');
      }
    }
  }
}
