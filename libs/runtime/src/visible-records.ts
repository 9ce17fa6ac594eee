import { type Scope } from '#contracts/access.js';
import { AppError, type ErrorCode } from '#contracts/errors.js';
import { type Caller, system } from './caller.js';
import { type Followed } from './followed.js';

interface Source<Record extends object> {
  records: Followed<Record>;
  /** Asks the owner, who applies the caller's scope itself. */
  ask: (key: string, caller: Caller) => Promise<Record>;
  inScope: (scope: Scope, record: Record) => boolean;
  absent: (key: string) => Error;
}

/** A view as a caller may see it, without a hop; what the view does not know yet is asked of its owner. */
export class VisibleRecords<Record extends object> {
  constructor(private readonly source: Source<Record>) {}

  /** Throws `absent` for what is not there or not in the caller's scope, SERVICE_UNAVAILABLE when that cannot be told. */
  async require(key: string, caller: Caller): Promise<Record> {
    return this.inView(key, caller) ?? this.source.ask(key, caller);
  }

  /** Undefined for what the view does not know. Throws `absent` for what is not in the caller's scope. */
  inView(key: string, { actor }: Caller): Record | undefined {
    const { records, inScope, absent } = this.source;
    const known = records.get(key);
    if (known && !inScope(actor.scope, known)) throw absent(key);
    return known;
  }
}

/** Whether the owner answers with `absent`. Any other failure is no such answer: false. */
export const isAbsent = (ask: (caller: Caller) => Promise<unknown>, absent: ErrorCode): Promise<boolean> =>
  ask(system('leftovers')).then(
    () => false,
    (error: unknown) => error instanceof AppError && error.code === absent,
  );
