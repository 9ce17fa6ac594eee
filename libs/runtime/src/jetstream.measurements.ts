import { type ConsumerInfo, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream';
import { type Nats } from './nats.js';
import { type Reading, type Telemetry } from './telemetry.js';

/** What a stream holds, and what its consumer has still to do. Every replica of the service says the same: take the largest, not the sum. */
export function measureConsumer(telemetry: Telemetry, nats: Nats, stream: string, consumer: string): void {
  const manager = (): Promise<JetStreamManager> => {
    if (!nats.connected) throw new Error('NATS is not connected');
    return nats.manager();
  };
  const ofConsumer = (figure: (info: ConsumerInfo) => number) => async (): Promise<Reading[]> => {
    const info = await (await manager()).consumers.info(stream, consumer);
    return [{ labels: { stream, consumer }, value: figure(info) }];
  };
  const ofStream = (figure: (info: StreamInfo) => number) => async (): Promise<Reading[]> => {
    const info = await (await manager()).streams.info(stream);
    return [{ labels: { stream }, value: figure(info) }];
  };
  telemetry.gauge(
    'emr_consumer_lag',
    'Messages of a stream that have not been delivered to its consumer yet.',
    ofConsumer(({ num_pending }) => num_pending),
  );
  telemetry.gauge(
    'emr_consumer_unacknowledged',
    'Messages that were delivered to a consumer and are not acknowledged yet.',
    ofConsumer(({ num_ack_pending }) => num_ack_pending),
  );
  telemetry.gauge(
    'emr_stream_bytes',
    'What a stream holds.',
    ofStream(({ state }) => state.bytes),
  );
  telemetry.gauge(
    'emr_stream_max_bytes',
    'What a stream may hold; -1: as much as the server has room for.',
    ofStream(({ config }) => config.max_bytes),
  );
}
