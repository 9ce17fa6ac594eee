import pg from 'pg';

const timedOut = 'Query read timeout';

/**
 * A connection that is given up once a statement on it was not answered in time: the other end may be gone without a word, and pg would go on
 * handing out the connection, whose every statement then waits behind the first.
 */
export class DatabaseClient extends pg.Client {
  // pg declares a dozen forms of it, and all but the promise's are handled by whoever passes a callback or a query object.
  override query(...parameters: unknown[]): never {
    const answer = super.query(...(parameters as [string])) as unknown;
    if (answer instanceof Promise) answer.catch((error: unknown) => this.giveUpAfter(error));
    return answer as never;
  }

  private giveUpAfter(error: unknown): void {
    if (!(error instanceof Error) || error.message !== timedOut) return;
    const { connection } = this as unknown as { connection: { stream: { destroy(): void } } };
    connection.stream.destroy();
  }
}
