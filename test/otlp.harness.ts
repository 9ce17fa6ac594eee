import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface ReceivedSpan {
  service: string;
  trace_id: string;
  span_id: string;
  /** Empty: it begins a trace. */
  parent_span_id: string;
  name: string;
  /** As OTLP numbers them: 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number;
  attributes: Record<string, string | number>;
  links: { trace_id: string; span_id: string }[];
  failure: string | null;
}

/** What a message of Protocol Buffers has, by number of the field: numbers, or bytes. */
type Fields = Map<number, (number | Buffer)[]>;

function fieldsOf(bytes: Buffer): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  const take = (length: number): Buffer => bytes.subarray(at, (at += length));
  while (at < bytes.length) {
    const tag = varint();
    const type = tag & 7;
    const value = type === 0 ? varint() : take(type === 1 ? 8 : type === 5 ? 4 : varint());
    fields.set(tag >>> 3, [...(fields.get(tag >>> 3) ?? []), value]);
  }
  return fields;
}

const parts = (fields: Fields, number: number): Fields[] => (fields.get(number) ?? []).map((value) => fieldsOf(value as Buffer));
const textOf = (fields: Fields, number: number): string => ((fields.get(number)?.[0] as Buffer | undefined) ?? '').toString();
const hexOf = (fields: Fields, number: number): string => (fields.get(number)?.[0] as Buffer | undefined)?.toString('hex') ?? '';

/** Texts and whole numbers. */
const attributesOf = (fields: Fields, number: number): Record<string, string | number> =>
  Object.fromEntries(
    parts(fields, number).map((pair) => {
      const [value = new Map() as Fields] = parts(pair, 2);
      return [textOf(pair, 1), value.has(3) ? (value.get(3)![0] as number) : textOf(value, 1)];
    }),
  );

const spanOf = (service: string, span: Fields): ReceivedSpan => {
  const [status] = parts(span, 15);
  return {
    service,
    trace_id: hexOf(span, 1),
    span_id: hexOf(span, 2),
    parent_span_id: hexOf(span, 4),
    name: textOf(span, 5),
    kind: span.get(6)?.[0] as number,
    attributes: attributesOf(span, 9),
    links: parts(span, 13).map((link) => ({ trace_id: hexOf(link, 1), span_id: hexOf(link, 2) })),
    failure: status?.get(3)?.[0] === 2 ? textOf(status, 2) : null,
  };
};

/** An OpenTelemetry collector that keeps what it is sent. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  private readonly server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      if (request.url === '/v1/traces') this.take(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
      response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/x-protobuf' }).end();
    });
  });

  static async listen(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await new Promise<void>((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Of one trace, in no order. */
  trace(trace_id: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.trace_id === trace_id);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(body: Buffer): void {
    for (const resourceSpans of parts(fieldsOf(body), 1)) {
      const service = String(attributesOf(parts(resourceSpans, 1)[0]!, 1)['service.name']);
      for (const scopeSpans of parts(resourceSpans, 2)) for (const span of parts(scopeSpans, 2)) this.spans.push(spanOf(service, span));
    }
  }
}
