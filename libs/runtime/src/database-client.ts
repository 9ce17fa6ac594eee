import pg from 'pg';
import { currentSpan, type Span } from './tracing.js';

const timedOut = 'Query read timeout';

/**
 * A connection that is given up once a statement on it was not answered in time: the other end may be gone without a word, and pg would go on
 * handing out the connection, whose every statement then waits behind the first.
 */
export class DatabaseClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    // A server that ends in the very moment in which it has let somebody in is heard before the pool has handed the connection over. Nobody listens
    // then, which would end the process; whoever is given the connection hears of it by the first statement.
    this.on('error', () => undefined);
  }

  // pg declares a dozen forms of it, and all but the promise's are handled by whoever passes a callback or a query object.
  override query(...parameters: unknown[]): never {
    const span = statementSpan(parameters[0]);
    const answer = super.query(...(parameters as [string])) as unknown;
    if (answer instanceof Promise) answer.catch((error: unknown) => this.giveUpAfter(error));
    if (span && answer instanceof Promise) void endWith(span, answer);
    return answer as never;
  }

  private giveUpAfter(error: unknown): void {
    if (!(error instanceof Error) || error.message !== timedOut) return;
    const { connection } = this as unknown as { connection: { stream: { destroy(): void } } };
    connection.stream.destroy();
  }
}

const maxText = 500;

/** Statements have their values beside them, and none in their text. */
function statementSpan(statement: unknown): Span | undefined {
  const span = currentSpan();
  if (!span || typeof statement !== 'string') return undefined;
  const name = /^\s*(\w+)/.exec(statement)?.[1]?.toUpperCase() ?? 'statement';
  return span.child({ name, role: 'client', attributes: { 'db.system.name': 'postgresql', 'db.query.text': statement.slice(0, maxText) } });
}

const endWith = (span: Span, answer: Promise<unknown>): Promise<void> =>
  answer.then(
    () => span.end(),
    (error: unknown) => span.end(error instanceof Error ? error.message : String(error)),
  );
