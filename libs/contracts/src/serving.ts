import { Json, JsonMap, Line, OneOf, Text, Whole } from './fields.js';
import { acceptedPath, pathPattern } from './json-path.js';

export const servingProtocols = ['oip_v2', 'http_json', 'nats'] as const;
export type ServingProtocol = (typeof servingProtocols)[number];

/** What stands for a secret: its name. The value is known to the validation service alone. */
export interface SecretRef {
  secret: string;
}

/** Also the name of a file, so without anything that could lead out of its folder. */
const secretName = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const headerName = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;

/** Those that say how the message itself is sent belong to the HTTP client. */
const ownHeaders = new Set(
  ['accept', 'accept-encoding', 'connection', 'content-length', 'content-type', 'expect', 'host', 'keep-alive'].concat([
    'proxy-authorization',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ]),
);

function isSecretHeader(name: string, value: unknown): boolean {
  if (!headerName.test(name) || ownHeaders.has(name.toLowerCase())) return false;
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return false;
  const { secret } = value as Partial<SecretRef>;
  return typeof secret === 'string' && secretName.test(secret);
}

/**
 * A NATS subject without wildcards. The suite's own subjects, JetStream's, the server's and inboxes are refused here already, whatever
 * prefix the validation service is configured with.
 */
export const natsSubject = /^(?!emr(\.|$))[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)*$/;
export const natsSubjectAccepted = 'a NATS subject of letters, digits, _ and - between dots, not below emr';

/** How a model version is called. Which fields a protocol takes: apps/registry/src/serving-rules.ts. */
export class Serving {
  @OneOf(servingProtocols, {
    description:
      '`oip_v2`: Open Inference Protocol v2 over REST. `http_json`: POST of JSON, answered with JSON. `nats`: a request with JSON, replied with JSON.',
  })
  protocol!: ServingProtocol;

  @Text({
    max: 2000,
    optional: true,
    nullable: true,
    // Whatever stands before an @ would be shown to every viewer: credentials are refused, in any spelling that URL parsers take.
    pattern: /^https?:\/\/[^\s/?#@\\]+([/?#]\S*)?$/,
    accepted: 'an http:// or https:// address of at most 2000 characters, without user and password',
    description: '`oip_v2`, `http_json`: the model server; for `oip_v2` without the /v2 path.',
    example: 'http://127.0.0.1:8090',
  })
  url?: string | null;

  @Text({
    max: 200,
    optional: true,
    nullable: true,
    pattern: natsSubject,
    accepted: natsSubjectAccepted,
    description: '`nats`: the subject that the model answers on.',
    example: 'models.mlb.predict',
  })
  subject?: string | null;

  @Line({
    max: 200,
    optional: true,
    nullable: true,
    description: 'The name the model server knows it by (`oip_v2`). Default: the model’s name.',
  })
  model_name?: string | null;

  @Line({ max: 100, optional: true, nullable: true, description: 'The version the model server knows it by (`oip_v2`).' })
  model_version?: string | null;

  @Json({
    max_bytes: 16_000,
    optional: true,
    nullable: true,
    description:
      '`http_json`, `nats`: what is sent. `{"$from": "input"}` in it stands for the case’s input, with `"path"` for a part of it.',
  })
  request_template?: unknown;

  @Text({
    max: 500,
    optional: true,
    nullable: true,
    pattern: pathPattern,
    accepted: acceptedPath,
    description: '`http_json`, `nats`: where in what comes back the answer is. Default $, all of it.',
  })
  answer_path?: string | null;

  @JsonMap({
    min_keys: 1,
    max_keys: 20,
    max_bytes: 4_000,
    optional: true,
    nullable: true,
    entries: {
      accepted: 'headers such as {"authorization": {"secret": "MODEL_TOKEN"}}, but for those that say how a message is sent',
      schema: { type: 'object', properties: { secret: { type: 'string' } }, required: ['secret'], additionalProperties: false },
      check: isSecretHeader,
    },
    description: '`oip_v2`, `http_json`: headers by the names of secrets, which the validation service alone knows.',
  })
  headers?: Record<string, SecretRef> | null;

  @Whole({ min: 1, max: 30_000, optional: true, description: 'How long one call may take. Default 5000.' })
  timeout_ms?: number;
}
