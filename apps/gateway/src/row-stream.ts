import { type IncomingMessage } from 'node:http';
import { AppError } from '#contracts/errors.js';
import { type DataSetFormat } from '#contracts/data-set.js';
import { assertPlainText } from './json-text.js';

/** The body of a request that is read as it comes: rows, of which there may be more than fit into memory. */
export class RowStream {
  constructor(
    readonly format: DataSetFormat,
    readonly request: IncomingMessage,
  ) {}

  /**
   * Pieces of `size` bytes, the last one shorter. Nothing is read ahead of who takes them. A body that is not read to its end is let run out, so that
   * the answer reaches a client that is still sending. Throws REQUEST_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, MALFORMED_REQUEST.
   */
  async *pieces(size: number, max_bytes: number): AsyncGenerator<Buffer> {
    try {
      assertPlainText(this.request.headers);
      const tooLarge = (): AppError =>
        new AppError('REQUEST_TOO_LARGE', 'The body is too large', { accepted: `at most ${max_bytes} bytes` });
      if (Number(this.request.headers['content-length']) > max_bytes) throw tooLarge();
      let waiting: Buffer[] = [];
      let [held, bytes] = [0, 0];
      for await (const chunk of this.request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > max_bytes) throw tooLarge();
        waiting.push(chunk);
        held += chunk.length;
        if (held < size) continue;
        let all = Buffer.concat(waiting, held);
        for (; all.length >= size; all = all.subarray(size)) yield all.subarray(0, size);
        [waiting, held] = [[all], all.length];
      }
      if (held) yield Buffer.concat(waiting, held);
    } catch (error) {
      if (!(error instanceof AppError) && this.request.readableAborted)
        throw new AppError('MALFORMED_REQUEST', 'The request ended before it was whole');
      throw error;
    } finally {
      this.request.resume();
    }
  }
}
