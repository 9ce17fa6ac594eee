import { Bool, type DataClass } from './fields.js';

/** One question that a service answers over NATS: subject, input, output, and how long the asker waits. */
export interface RequestContract<In extends object = object, Out extends object = object> {
  readonly subject: string;
  readonly input: DataClass<In>;
  readonly output: DataClass<Out>;
  readonly timeout_ms: number;
}

/** Below the 2.5 s within which a client must hear that a service is down. */
const defaultTimeoutMs = 2_000;

/** The service's name is the subject's first word: `registry.get_model` is answered by registry. */
export function request<In extends object, Out extends object>(
  subject: string,
  { input, output, timeout_ms = defaultTimeoutMs }: { input: DataClass<In>; output: DataClass<Out>; timeout_ms?: number },
): RequestContract<In, Out> {
  return { subject: `emr.rpc.${subject}`, input, output, timeout_ms };
}

export const serviceOf = (contract: Pick<RequestContract, 'subject'>): string => contract.subject.split('.')[2] ?? contract.subject;

export class NoInput {}

/** The answer to a removal. */
export class Removed {
  @Bool()
  removed!: boolean;
}
