import { Controller, type INestApplication } from '@nestjs/common';
import { fastify } from 'fastify';
import { NoInput } from '#contracts/request.js';
import { type Logger } from '#runtime/logger.js';
import { KeyGuard } from './key.guard.js';
import { servedRoutes } from './served-routes.provider.js';
import { Input, Serves } from './serves.decorator.js';

const serves = { input: NoInput, output: NoInput, role: 'viewer', from: 'query', summary: 'For a test' } as const;

@Controller()
class Failing {
  @Serves(serves)
  atOnce(@Input() _: NoInput): NoInput {
    throw new TypeError('a bug');
  }

  @Serves(serves)
  async later(@Input() _: NoInput): Promise<NoInput> {
    await Promise.resolve();
    throw new TypeError('a bug');
  }
}

describe('a handler that fails by a bug', () => {
  it.each(['atOnce', 'later'] as const)('%s is answered without its text, and found in the log by the request id', async (method) => {
    const failures: unknown[] = [];
    const logger = { failure: (...failure: unknown[]) => failures.push(failure) } as unknown as Logger;
    const parts = new Map<unknown, object>([
      [KeyGuard, { authorise: () => undefined }],
      [Failing, new Failing()],
    ]);
    const app = { get: (type: unknown) => parts.get(type) } as unknown as INestApplication;
    const server = fastify({ genReqId: () => 'the-id' });
    server.get('/', servedRoutes(app, logger)(Failing.prototype[method])!);
    const answer = await server.inject('/');
    expect(answer.statusCode).toBe(500);
    expect(answer.body).toContain('INTERNAL_ERROR');
    expect(answer.body).not.toContain('a bug');
    expect(failures).toEqual([['Unexpected error', new TypeError('a bug'), { request_id: 'the-id' }]]);
  });
});
