interface Failure {
  code: string;
  message: string;
  details: Record<string, unknown> | null;
}

/** The REST surface answered with an error. */
class RestError extends Error {
  constructor(
    request: string,
    readonly failure: Failure,
  ) {
    super(`${request}: ${failure.code}: ${failure.message} ${JSON.stringify(failure.details ?? {})}`);
  }
}

/** The REST surface, as any client has it. */
export class RestClient {
  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  async send<Data>(method: string, path: string, body?: object): Promise<Data> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.key}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const envelope = (await response.json()) as { data: Data; error?: Failure };
    if (envelope.error) throw new RestError(`${method} ${path}`, envelope.error);
    return envelope.data;
  }

  get<Data>(path: string): Promise<Data> {
    return this.send('GET', path);
  }

  /** Posts something new. Where the answer is the error `code`, it is there already: then what `known` makes of the error's details. */
  async ensure<Data>(path: string, body: object, code: string, known: (details: Record<string, unknown>) => Promise<Data>): Promise<Data>;
  async ensure(path: string, body: object, code: string): Promise<void>;
  async ensure(path: string, body: object, code: string, known?: (details: Record<string, unknown>) => Promise<unknown>): Promise<unknown> {
    try {
      return await this.send('POST', path, body);
    } catch (error) {
      if (!(error instanceof RestError) || error.failure.code !== code) throw error;
      return known?.(error.failure.details ?? {});
    }
  }
}
