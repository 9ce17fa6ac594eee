import { type Asked, type Figure, httpLoad, startBare } from '../http-load.js';
import { boundRow, ratioRow, type Row } from './row.js';
import { plannedEvent } from './planned-event.js';
import { type TestBed } from './test-bed.js';
import { connections } from '../http-load.js';

const modelCount = 100;
/** Node compiles what is used most for about so long: before that a request costs a third more. */
const warmSeconds = 10;

/** POST of single inferences while metrics consumes them. */
export async function postInference(bed: TestBed): Promise<Row[]> {
  const { suite, rounds, seconds } = bed;
  const models = await bed.models(modelCount);
  const { first } = bed.plan(models, modelCount);
  const events = models.map((model_id, index) => ({ ...plannedEvent(first + index, models), model_id }));
  const recorded = JSON.stringify({ success: true, data: { message: 'Inference recorded successfully' } });
  const asked = events.map(({ model_id, timing_ms, success, error }): Asked => {
    const query = new URLSearchParams({ timing_ms: String(timing_ms), ...(!success && { success: 'false', error: error! }) });
    const path = `${suite.prefix}/registry/${model_id}/inference?${query.toString()}`;
    return { path, method: 'POST', accepts: (body) => body === recorded };
  });
  // Each connection asks for all models so many times, so that it is known how often each was sent.
  const once = connections * modelCount;
  const post = async (times: number): Promise<Figure> => {
    const figure = await httpLoad(suite.origin, asked, { amount: once * times }, bed.authorization);
    for (const event of events) bed.sent.add(event, connections * times);
    return figure;
  };

  const bare = await startBare(suite, recorded);
  await bare.load(warmSeconds);
  const cold = await post(1);
  const { rate } = await post(Math.ceil((cold.rate * warmSeconds) / once));
  const times = Math.max(1, Math.round((rate * seconds) / once));
  const ours: Figure[] = [];
  const limit: Figure[] = [];
  for (let round = 0; round < rounds; round++) {
    limit.push(await bare.load(seconds));
    ours.push(await post(times));
    await bed.settled();
  }
  bare.stop();
  await bed.check();
  return httpRows('`POST …/inference`', ours, limit, 0.45, 30);
}

/** GET of metrics and health over 100 models. */
export async function reads(bed: TestBed): Promise<Row[]> {
  const { suite, rounds, seconds } = bed;
  const models = await bed.models(modelCount);
  const rows: Row[] = [];
  for (const kind of ['metrics', 'health'] as const) {
    const asked = models.map((model_id): Asked => {
      const expected = bed.sent.total(model_id);
      let right: string | undefined;
      return {
        path: `${suite.prefix}/registry/${model_id}/${kind}`,
        accepts(body) {
          if (body === right) return true;
          const { data } = JSON.parse(body) as { data: { model_id: string; total_inferences: number } };
          if (data.model_id !== model_id || data.total_inferences !== expected) return false;
          right = body;
          return true;
        },
      };
    });
    const body = await (await fetch(suite.origin + asked[0]!.path, { headers: bed.authorization })).text();
    const bare = await startBare(suite, body);
    const read = (duration: number): Promise<Figure> => httpLoad(suite.origin, asked, { duration }, bed.authorization);
    await bare.load(warmSeconds);
    await read(warmSeconds);
    const ours: Figure[] = [];
    const limit: Figure[] = [];
    for (let round = 0; round < rounds; round++) {
      limit.push(await bare.load(seconds));
      ours.push(await read(seconds));
    }
    bare.stop();
    rows.push(...httpRows(`\`GET …/${kind}\`, ${modelCount} models`, ours, limit, 0.3, null));
  }
  return rows;
}

function httpRows(path: string, ours: Figure[], limit: Figure[], atLeast: number, p99AtMost: number | null): Row[] {
  const unit = 'requests/s';
  const rates = (figures: Figure[]): { values: number[]; unit: string } => ({ values: figures.map(({ rate }) => rate), unit });
  return [
    ratioRow(path, rates(ours), 'bare Fastify `GET`', rates(limit), atLeast),
    boundRow('… its p99', { values: ours.map(({ p99 }) => p99), unit: 'ms' }, p99AtMost),
  ];
}
