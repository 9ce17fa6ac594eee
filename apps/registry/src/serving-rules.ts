import { type FieldProblem } from '#contracts/errors.js';
import { type Serving, type ServingProtocol } from '#contracts/serving.js';
import { templateProblems } from '#contracts/template.js';

type OwnField = 'url' | 'subject' | 'request_template' | 'answer_path' | 'headers';

/** What each protocol needs and may have of the fields that not all of them know. */
const fieldsOfProtocol: Record<ServingProtocol, { address: 'url' | 'subject'; takes: OwnField[] }> = {
  oip_v2: { address: 'url', takes: ['url', 'headers'] },
  http_json: { address: 'url', takes: ['url', 'headers', 'request_template', 'answer_path'] },
  nats: { address: 'subject', takes: ['subject', 'request_template', 'answer_path'] },
};

const ownFields: OwnField[] = ['url', 'subject', 'request_template', 'answer_path', 'headers'];

/** What is wrong with how a model is said to be served, beyond the types of the fields. */
export function servingProblems(serving: Serving): FieldProblem[] {
  const { protocol, request_template } = serving;
  const { address, takes } = fieldsOfProtocol[protocol];
  const isGiven = (field: OwnField): boolean => serving[field] !== undefined && serving[field] !== null;
  const stray = ownFields.filter((field) => isGiven(field) && !takes.includes(field));
  return [
    ...(isGiven(address) ? [] : [{ field: `serving.${address}`, accepted: `the address of the model: ${protocol} needs it` }]),
    ...stray.map((field) => ({ field: `serving.${field}`, accepted: `nothing: ${protocol} has no ${field}` })),
    ...(isGiven('request_template') ? templateProblems('serving.request_template', request_template, ['input']) : []),
  ];
}
