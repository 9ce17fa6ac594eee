import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { train } from './logistic-regression.mjs';

const trace = new URL('../trace/azure-llm-inference-conv-2023.csv', import.meta.url);
/** An answer of more tokens is long. */
const longTokens = 300;
/** What came first in the trace is learnt from, every tenth request of it; what came later is held out. */
const learntRequests = 14_000;
const learntEvery = 10;

function readTrace() {
  const [, ...lines] = readFileSync(trace, 'utf8').trim().split(/\r?\n/);
  return lines.map((line) => {
    const [, context_tokens, generated_tokens] = line.split(',').map(Number);
    return { context_tokens, long: generated_tokens > longTokens };
  });
}

/** Half octaves of 64 to 8192 tokens: how near the length of the prompt is to each, 0 to 1. */
const centres = Array.from({ length: 15 }, (_, index) => 6 + index / 2);
function lengthFeatures(context_tokens) {
  const octaves = Math.min(13, Math.max(6, Math.log2(context_tokens + 1)));
  return centres.map((centre) => Math.max(0, 1 - 2 * Math.abs(octaves - centre)));
}

/** What each kind of the model makes of a prompt's length. Long answers come from prompts of middling length: no line can tell them apart. */
const featuresOf = { accurate: lengthFeatures, inaccurate: (context_tokens) => [context_tokens] };
const trained = new Map();

/**
 * [context_tokens] -> probability 0..1 that the answer is long. Trained when it is first asked for, once a process and in a fraction of a
 * second, always the same.
 */
export function longAnswers(kind) {
  if (!trained.has(kind)) {
    const features = featuresOf[kind];
    const learnt = readTrace()
      .slice(0, learntRequests)
      .filter((_, index) => index % learntEvery === 0);
    const rows = learnt.map(({ context_tokens, long }) => ({ features: features(context_tokens), label: long ? 1 : 0 }));
    const predict = train(rows, { steps: 200, rate: 2 });
    trained.set(kind, ([context_tokens]) => predict(features(context_tokens)));
  }
  return trained.get(kind);
}

/** The requests that the model has not seen, as NDJSON: {"context_tokens", "long"} a line. */
export function heldOutRows() {
  const rows = readTrace().slice(learntRequests);
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) process.stdout.write(heldOutRows());
