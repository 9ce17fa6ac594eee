import { readFileSync } from 'node:fs';
import { fastify } from 'fastify';

/** The baseline, in a process of its own: Fastify answering the bytes of the file named on the command line. */
const body = readFileSync(process.argv[2] ?? '');
const server = fastify();
server.get('/', (_, reply) => reply.type('application/json; charset=utf-8').send(body));
await server.listen({ port: Number(process.argv[3]), host: '127.0.0.1' });
