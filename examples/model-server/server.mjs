import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { featureNames, trainModels } from './logistic-regression.mjs';

const version = '1';
const maxBodyBytes = 1_000_000;
const maxRows = 1000;
const width = featureNames.length;

const inputs = [{ name: 'features', datatype: 'FP64', shape: [-1, width] }];
const outputs = [
  { name: 'probability', datatype: 'FP64', shape: [-1] },
  { name: 'pick', datatype: 'BYTES', shape: [-1] },
];

/** What the client did wrong; answered as {"error": message}. */
class RequestError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const bad = (message) => new RequestError(400, message);
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const pick = (probability) => (probability >= 0.5 ? 'over' : 'under');

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

/** The rows of the tensor `features`: flat or nested data in row-major order. */
function readRows(tensors) {
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

/** The names of the outputs to send: all, or those the request lists. */
function readWanted(wanted) {
  if (wanted === undefined) return outputs.map(({ name }) => name);
  if (!Array.isArray(wanted)) throw bad('outputs must be a list');
  return wanted.map((output) => {
    const known = outputs.find(({ name }) => isObject(output) && name === output.name);
    if (!known) throw bad(`outputs may name ${outputs.map(({ name }) => name).join(' and ')}`);
    return known.name;
  });
}

function infer(model_name, predict, body) {
  if (!isObject(body)) throw bad('the body must be an object');
  const { id, parameters = {} } = body;
  if (id !== undefined && typeof id !== 'string') throw bad('id must be a string');
  const isParameter = (value) => ['string', 'number', 'boolean'].includes(typeof value);
  if (!isObject(parameters) || !Object.values(parameters).every(isParameter)) {
    throw bad('parameters must be an object of strings, numbers and booleans');
  }
  const wanted = readWanted(body.outputs);
  const probabilities = readRows(body.inputs).map(predict);
  const data = { probability: probabilities, pick: probabilities.map(pick) };
  return {
    model_name,
    model_version: version,
    ...(id !== undefined && { id }),
    outputs: outputs
      .filter(({ name }) => wanted.includes(name))
      .map(({ name, datatype }) => ({ name, datatype, shape: [probabilities.length], data: data[name] })),
  };
}

/** The plain endpoint: one object of features in, one prediction out. */
function predictOne(model_name, predict, body) {
  if (!isObject(body)) throw bad(`the body must be an object with ${featureNames.join(', ')}`);
  for (const name of featureNames) if (!Number.isFinite(body[name])) throw bad(`${name} must be a number`);
  const unknown = Object.keys(body).find((name) => !featureNames.includes(name));
  if (unknown !== undefined) throw bad(`${unknown} is no feature; the features are ${featureNames.join(', ')}`);
  const probability = predict(featureNames.map((name) => body[name]));
  return { model_name, model_version: version, probability, pick: pick(probability) };
}

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
  const predict = models.get(model_name);

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
      return { name: model_name, versions: [version], platform: 'nodejs_logistic_regression', inputs, outputs };
    case 'infer':
      return infer(model_name, predict, await readJson(request));
    case 'predict':
      return predictOne(model_name, predict, await readJson(request));
  }
}

/** Trains the models and serves them on loopback. Port 0 takes a free one. Rejects when the port is taken. */
export async function startModelServer({ port = 0 } = {}) {
  const models = trainModels();
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

function readPort() {
  try {
    const { port } = parseArgs({ options: { port: { type: 'string', default: '8090' } } }).values;
    if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535) return Number(port);
  } catch {
    // An unknown option is answered like a bad port: with how to call it.
  }
  return null;
}

async function main() {
  const port = readPort();
  if (port === null) {
    console.error('Usage: node examples/model-server/server.mjs [--port 0..65535]   (default 8090, 0 takes a free port)');
    process.exit(2);
  }
  try {
    const { url, close } = await startModelServer({ port });
    console.log(`Models mlb-props and nfl-props, trained on synthetic data, at ${url}/v2`);
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void close());
  } catch (error) {
    console.error(`The model server cannot listen on 127.0.0.1:${port}: ${error.code ?? error.message}. Try another --port.`);
    process.exit(1);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
