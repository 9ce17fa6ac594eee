import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createModels, ModelError, variants } from './models.mjs';

const version = '1';
const maxBodyBytes = 1_000_000;
const maxRows = 1000;

/** What the client did wrong; answered as {"error": message}. */
class RequestError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const bad = (message) => new RequestError(400, message);
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

async function readJson(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new RequestError(413, `the body is larger than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw bad('the body is not JSON');
  }
}

/** The rows of the tensor `features`, each `width` numbers: flat or nested data in row-major order. */
function readRows(tensors, width) {
  if (!Array.isArray(tensors)) throw bad('inputs must be a list of tensors');
  const tensor = tensors[0];
  if (tensors.length !== 1 || !isObject(tensor) || tensor.name !== 'features') throw bad('inputs must hold one tensor named features');
  if (tensor.datatype !== 'FP64' && tensor.datatype !== 'FP32') throw bad('features must have the datatype FP64 or FP32');
  const { shape, data } = tensor;
  const rows = Array.isArray(shape) && shape.length === 2 && shape[1] === width ? shape[0] : NaN;
  if (!Number.isInteger(rows) || rows < 1 || rows > maxRows) throw bad(`features must have the shape [1 to ${maxRows}, ${width}]`);
  if (!Array.isArray(data)) throw bad('features must have data');
  const values = data.flat();
  if (values.length !== rows * width) throw bad(`features has the shape [${rows}, ${width}] but ${values.length} values`);
  if (!values.every(Number.isFinite)) throw bad('the data of features must be numbers');
  return Array.from({ length: rows }, (_, row) => values.slice(row * width, (row + 1) * width));
}

/** The outputs to send: all, or those the request lists. */
function readWanted(wanted, outputs) {
  if (wanted === undefined) return outputs;
  if (!Array.isArray(wanted)) throw bad('outputs must be a list');
  const names = wanted.map((output) => {
    const known = outputs.find(({ name }) => isObject(output) && name === output.name);
    if (!known) throw bad(`outputs may name ${outputs.map(({ name }) => name).join(' and ')}`);
    return known.name;
  });
  return outputs.filter(({ name }) => names.includes(name));
}

async function infer(model_name, { features, outputs, predict }, body) {
  if (!isObject(body)) throw bad('the body must be an object');
  const { id, parameters = {} } = body;
  if (id !== undefined && typeof id !== 'string') throw bad('id must be a string');
  const isParameter = (value) => ['string', 'number', 'boolean'].includes(typeof value);
  if (!isObject(parameters) || !Object.values(parameters).every(isParameter)) {
    throw bad('parameters must be an object of strings, numbers and booleans');
  }
  const wanted = readWanted(body.outputs, outputs);
  const probabilities = await predict(readRows(body.inputs, features.length));
  return {
    model_name,
    model_version: version,
    ...(id !== undefined && { id }),
    outputs: wanted.map(({ name, datatype, of }) => ({ name, datatype, shape: [probabilities.length], data: probabilities.map(of) })),
  };
}

/** The plain endpoint: one object of features in, one prediction out. */
async function predictOne(model_name, { features, outputs, predict }, body) {
  if (!isObject(body)) throw bad(`the body must be an object with ${features.join(', ')}`);
  for (const name of features) if (!Number.isFinite(body[name])) throw bad(`${name} must be a number`);
  const unknown = Object.keys(body).find((name) => !features.includes(name));
  if (unknown !== undefined) throw bad(`${unknown} is no feature; the features are ${features.join(', ')}`);
  const [probability] = await predict([features.map((name) => body[name])]);
  return { model_name, model_version: version, ...Object.fromEntries(outputs.map(({ name, of }) => [name, of(probability)])) };
}

/** The tensors that a model takes and gives. */
const metadataOf = (model_name, { features, outputs }) => ({
  name: model_name,
  versions: [version],
  platform: 'nodejs_logistic_regression',
  inputs: [{ name: 'features', datatype: 'FP64', shape: [-1, features.length] }],
  outputs: outputs.map(({ name, datatype }) => ({ name, datatype, shape: [-1] })),
});

/** What a path names: {route, model_name?}, or null. */
function routeOf(path) {
  const fixed = { '/v2': 'server', '/v2/health/live': 'live', '/v2/health/ready': 'ready' };
  if (Object.hasOwn(fixed, path)) return { route: fixed[path] };
  const plain = /^\/predict\/([^/]+)$/.exec(path);
  if (plain) return { route: 'predict', model_name: decode(plain[1]) };
  const model = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(ready|infer))?$/.exec(path);
  if (!model) return null;
  if (model[2] !== undefined && decode(model[2]) !== version) throw new RequestError(404, `the models have the version ${version} only`);
  return { route: model[3] === 'ready' ? 'modelReady' : (model[3] ?? 'model'), model_name: decode(model[1]) };
}

function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw bad('the path is not valid');
  }
}

async function answer(models, request) {
  const found = routeOf(request.url.split('?', 1)[0]);
  if (!found) throw new RequestError(404, 'there is nothing at this path');
  const { route, model_name } = found;
  const method = route === 'infer' || route === 'predict' ? 'POST' : 'GET';
  if (request.method !== method) throw new RequestError(405, `use ${method}`);
  if (model_name !== undefined && !models.has(model_name)) throw new RequestError(404, `there is no model ${model_name}`);
  const model = models.get(model_name);

  switch (route) {
    case 'server':
      return { name: 'emr-example-model-server', version, extensions: [] };
    case 'live':
      return { live: true };
    case 'ready':
      // The REST text of the protocol names this field live, its gRPC definition ready.
      return { live: true, ready: true };
    case 'modelReady':
      return { name: model_name, ready: true };
    case 'model':
      return metadataOf(model_name, model);
    case 'infer':
      return infer(model_name, model, await readJson(request));
    case 'predict':
      return predictOne(model_name, model, await readJson(request));
  }
}

/** Trains the models and serves them on loopback. Port 0 takes a free one. Rejects when the port is taken. */
export async function startModelServer({ port = 0, variant = 'good' } = {}) {
  const models = createModels(variant);
  const server = createServer((request, response) => {
    const send = (status, body) => {
      // A body that was not read to its end leaves the connection unusable for another request.
      if (!request.complete) response.setHeader('connection', 'close');
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    answer(models, request).then(
      (body) => send(200, body),
      (error) => {
        if (error instanceof RequestError) return send(error.status, { error: error.message });
        if (error instanceof ModelError) return send(500, { error: error.message });
        // A client that went away while sending has nobody left to answer.
        if (request.errored) return response.destroy();
        console.error(error);
        send(500, { error: 'internal error' });
      },
    );
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    port: server.address().port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** {port, variant}, or null for what is none. */
function readOptions() {
  try {
    const options = { port: { type: 'string', default: '8090' }, variant: { type: 'string', default: 'good' } };
    const { port, variant } = parseArgs({ options }).values;
    if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535 && variants.includes(variant)) return { port: Number(port), variant };
  } catch {
    // An unknown option is answered like a bad port: with how to call it.
  }
  return null;
}

async function main() {
  const options = readOptions();
  if (options === null) {
    console.error(
      `Usage: node examples/model-server/server.mjs [--port 0..65535] [--variant ${variants.join('|')}]   (default 8090, 0 takes a free port; good)`,
    );
    process.exit(2);
  }
  const { port, variant } = options;
  try {
    const { url, close } = await startModelServer(options);
    console.log(`Models mlb-props and nfl-props, trained on synthetic data, and long-answers (${variant}), on a real trace, at ${url}/v2`);
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void close());
  } catch (error) {
    console.error(`The model server cannot listen on 127.0.0.1:${port}: ${error.code ?? error.message}. Try another --port.`);
    process.exit(1);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
