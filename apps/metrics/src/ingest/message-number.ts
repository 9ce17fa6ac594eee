import { type JsMsg } from '@nats-io/jetstream';
import { inferenceStream } from '#contracts/inference.js';

/** Who numbered a message, and as what. */
export interface MessageNumber {
  source: string;
  sequence: number;
}

/** What a message of the client holds beside what it shows: head and body as they came, and how long the head is. */
interface Received {
  msg?: { _rdata?: Uint8Array; _msg?: { hdr?: number } };
}

const maxSourceLength = 100;
const wholeNumber = /^\d{1,15}$/;

/** Of a message; null for one that does not say both, or not in the form that is accepted. */
export function numberOf(message: JsMsg): MessageNumber | null {
  const { msg } = message as Received;
  const length = msg?._msg?.hdr;
  // The client makes a map of all headers, letter by letter, which is a tenth of what a single event costs. A client that keeps them elsewhere is
  // asked for them.
  if (!msg?._rdata || length === undefined)
    return accepted(message.headers?.get(inferenceStream.producerHeader), message.headers?.get(inferenceStream.sequenceHeader));
  if (length <= 0) return null;
  const head = Buffer.from(msg._rdata.buffer, msg._rdata.byteOffset, length).toString();
  return accepted(valueIn(head, inferenceStream.producerHeader), valueIn(head, inferenceStream.sequenceHeader));
}

/** Of the first header of this name; undefined where there is none. */
function valueIn(head: string, name: string): string | undefined {
  const at = head.indexOf(`\r\n${name}:`);
  if (at === -1) return undefined;
  const begin = at + name.length + 3;
  const end = head.indexOf('\r\n', begin);
  return head.slice(begin, end === -1 ? undefined : end).trim();
}

const accepted = (source: string | undefined, sequence: string | undefined): MessageNumber | null =>
  source && source.length <= maxSourceLength && sequence && wholeNumber.test(sequence) ? { source, sequence: Number(sequence) } : null;
