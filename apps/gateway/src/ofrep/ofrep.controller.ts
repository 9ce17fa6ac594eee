import { hash } from 'node:crypto';
import { Controller, Get, Post } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { type Actor } from '#contracts/access.js';
import { AppError, invalidInput } from '#contracts/errors.js';
import { isShallow } from '#contracts/fields.js';
import { type EvaluationContext } from '#evaluation/compiled-flag.js';
import { sayAge } from '../ages.decorator.js';
import { KeyGuard } from '../key.guard.js';
import { KnownFlags } from '../known-flags.store.js';
import { answerOf } from './answer-text.js';
import { canonicalJson } from './canonical-json.js';
import { Cors } from './cors.js';
import { FlagStreams } from './flag-streams.store.js';
import { ofrepRoots } from './ofrep-paths.js';
import { ServesOfrep } from './ofrep.decorator.js';
import { positionFrom } from './position.js';
import { routeOf } from '../route-traits.js';

const contentType = 'application/json; charset=utf-8';
/** So long a client that was told of a change elsewhere waits for it to come here. */
const patienceMs = 500;
const inactivityDelaySec = 120;
/** Of keys. */
const maxStreamTexts = 10_000;

/**
 * The OpenFeature Remote Evaluation Protocol, version 0.3.0, as its clients on npm speak it: evaluation from memory. Described by its own OpenAPI
 * document (open-feature/protocol), not by ours.
 */
@ApiExcludeController()
@Controller(ofrepRoots)
export class OfrepController {
  private readonly streamTexts = new Map<string, string>();

  constructor(
    private readonly known: KnownFlags,
    private readonly streams: FlagStreams,
    private readonly guard: KeyGuard,
    private readonly cors: Cors,
  ) {}

  @Post('evaluate/flags/:key')
  @ServesOfrep('client')
  evaluateOne(request: FastifyRequest, reply: FastifyReply, { scope }: Actor): void {
    const { key } = request.params as { key: string };
    const context = contextOf(request.body);
    const flag = this.known.find(key, scope);
    if (!flag) throw new AppError('FLAG_NOT_FOUND', `Flag ${key.slice(0, 200)} not found`);
    const { text, failed } = answerOf(flag, context, Date.now());
    sayAge(reply, this.known.flags, this.known.evaluators);
    void reply
      .code(failed ? 400 : 200)
      .header('content-type', contentType)
      .send(text);
  }

  @Post('evaluate/flags')
  @ServesOfrep('client')
  async evaluateAll(request: FastifyRequest, reply: FastifyReply, { key_id, scope }: Actor): Promise<void> {
    const context = contextOf(request.body);
    const heardOf = positionFrom((request.query as Record<string, unknown>).flagConfigEtag);
    if (heardOf) await this.streams.untilReached(heardOf, patienceMs);
    const { flags, timed } = this.known.all(scope);
    const now = Date.now();
    // What a rule makes of the time may be another in the next second.
    const second = timed ? String(Math.floor(now / 1000)) : '';
    const parts = [key_id, JSON.stringify(scope), this.known.revisionFor(scope), second, canonicalJson(context)];
    const etag = `"${hash('sha256', parts.join('\n'), 'base64url')}"`;
    sayAge(reply, this.known.flags, this.known.evaluators);
    reply.header('etag', etag);
    if (names(request.headers['if-none-match'], etag)) {
      void reply.code(304).send();
      return;
    }
    const answers = flags.map((flag) => answerOf(flag, context, now).text);
    void reply
      .code(200)
      .header('content-type', contentType)
      .send(`{"flags":[${answers.join(',')}],"eventStreams":${this.streamsFor(key_id, routeOf(request).path)}}`);
  }

  /** Server-sent events: when to ask for all flags anew, and what was missed since `Last-Event-ID`. */
  @Get('events')
  @ServesOfrep('client')
  listen(request: FastifyRequest, reply: FastifyReply, { key_id }: Actor): void {
    const last = positionFrom(request.headers['last-event-id']);
    const headers = { 'x-request-id': request.id, ...this.cors.headersFor(request.headers.origin) };
    this.streams.open(reply.raw, headers, key_id, last);
    reply.hijack();
  }

  /** The JSON of where a key hears of changes, below the same root as the route; the same at all times. */
  private streamsFor(key_id: string, route: string): string {
    const name = `${key_id} ${route}`;
    let text = this.streamTexts.get(name);
    if (text === undefined) {
      const requestUri = `${route.replace(/evaluate\/flags$/, 'events')}?token=${this.guard.streamToken(key_id)}`;
      text = JSON.stringify([{ type: 'sse', endpoint: { requestUri }, inactivityDelaySec }]);
      if (this.streamTexts.size >= maxStreamTexts) this.streamTexts.clear();
      this.streamTexts.set(name, text);
    }
    return text;
  }
}

/** Throws INVALID_INPUT. Without a body, or without a context in it, it is empty. */
function contextOf(body: unknown): EvaluationContext {
  const refuse = (field: string, accepted: string): AppError => invalidInput([{ field, accepted }]);
  if (body === undefined) return {};
  if (!isObject(body)) throw refuse('(body)', 'a JSON object with a context');
  const { context = {} } = body;
  if (!isObject(context)) throw refuse('context', 'an object');
  if (!isShallow(context)) throw refuse('context', 'an object of at most 32 levels');
  const { targetingKey } = context;
  if (targetingKey !== undefined && typeof targetingKey !== 'string') throw refuse('context.targetingKey', 'a string');
  return context;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether If-None-Match names the ETag, by weak comparison. */
const names = (header: string | undefined, etag: string): boolean =>
  header !== undefined && (header.trim() === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag));
