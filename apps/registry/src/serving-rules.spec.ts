import { type Serving } from '#contracts/serving.js';
import { servingProblems } from './serving-rules.js';

const url = 'http://models.internal:8000';
const headers = { authorization: { secret: 'TOKEN' } };
const request_template = { x: { $from: 'input' } };

describe('how a model is served', () => {
  it.each<[Serving]>([
    [{ protocol: 'oip_v2', url, headers, model_name: 'a', model_version: '1' }],
    [{ protocol: 'http_json', url, headers, request_template, answer_path: '$.y' }],
    [{ protocol: 'http_json', url, model_name: 'taken before, too' }],
    [{ protocol: 'http_json', url, subject: null, request_template: null }],
    [{ protocol: 'nats', subject: 'models.mlb', request_template, answer_path: '$.y', url: null }],
  ])('can be %j', (serving) => {
    expect(servingProblems(serving)).toEqual([]);
  });

  it.each<[Serving, string[]]>([
    [{ protocol: 'oip_v2' }, ['url']],
    [{ protocol: 'http_json', url: null }, ['url']],
    [{ protocol: 'nats' }, ['subject']],
    [{ protocol: 'nats', url }, ['subject', 'url']],
    [{ protocol: 'nats', subject: 'models.mlb', headers }, ['headers']],
    [{ protocol: 'http_json', url, subject: 'models.mlb' }, ['subject']],
    [{ protocol: 'oip_v2', url, request_template, answer_path: '$' }, ['request_template', 'answer_path']],
    [{ protocol: 'http_json', url, request_template: { $from: 'output' } }, ['request_template']],
  ])('cannot be %j', (serving, fields) => {
    expect(servingProblems(serving).map(({ field }) => field)).toEqual(fields.map((field) => `serving.${field}`));
  });
});
