import { readFileSync } from 'node:fs';
import { fastify } from 'fastify';

/**
 * The baseline, in a process of its own: Fastify answering the bytes of the file named on the command line, to a POST once it has read its JSON,
 * and 304 to whoever has them.
 */
const body = readFileSync(process.argv[2] ?? '');
const server = fastify();
server.route({
  url: '/',
  method: ['GET', 'POST'],
  handler: (request, reply) =>
    request.headers['if-none-match'] === undefined ? reply.type('application/json; charset=utf-8').send(body) : reply.code(304).send(),
});
await server.listen({ port: Number(process.argv[3]), host: '127.0.0.1' });
