// A service that publishes inference events and is killed without warning. Run by Traffic (traffic.harness.ts):
//   node producer.mjs <NATS address> <name> <plan: a message's body a line> <first line to send> <log> <messages per second> <subject and headers>
// The last is the contract's `inferenceStream` as JSON: loading the contracts would cost more than all that this does.
// Messages are numbered from 0; the same bytes are sent again until JetStream acknowledges them. The log is the oracle's, so it is written
// before a message is sent ("S <name> <sequence> <line>") and after it is acknowledged ("A <name> <sequence>"), past every buffer of this
// process. SIGTERM: nothing new is sent, and the process ends when all is acknowledged.
import { openSync, readFileSync, writeSync } from 'node:fs';
import { connect, createInbox, headers as createHeaders } from '@nats-io/transport-node';

const [, , address, name, plan, first, logFile, rate, contract] = process.argv;
const inferenceStream = JSON.parse(contract);
const inFlight = 64;
const resendMs = 500;
const tickMs = 10;

const bodies = readFileSync(plan, 'utf8').trimEnd().split('\n');
const log = openSync(logFile, 'a');
const { host, username, password } = new URL(address);
const connection = await connect({
  servers: host,
  user: username,
  pass: password,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 100,
  ignoreAuthErrorAbort: true,
  waitOnFirstConnect: true,
  pingInterval: 1_000,
  maxPingOut: 2,
});

const inbox = createInbox(`_INBOX.${username}`);
const pending = new Map();
const from = Number(first);
let line = from;
let allowance = 0;
let stopping = false;

function send(sequence, message) {
  message.sent_at = Date.now();
  connection.publish(inferenceStream.subject, message.body, { headers: message.headers, reply: `${inbox}.${sequence}` });
}

connection.subscribe(`${inbox}.*`, {
  callback: (_, reply) => {
    const sequence = Number(reply.subject.slice(inbox.length + 1));
    let acknowledgement;
    try {
      acknowledgement = reply.json();
    } catch {
      // "No responders" has no body: JetStream is not up yet.
      return;
    }
    // An error says that it is not stored, for want of space say: sent again later.
    if (acknowledgement.error || !pending.delete(sequence)) return;
    writeSync(log, `A ${name} ${sequence}\n`);
  },
});

process.on('SIGTERM', () => (stopping = true));

setInterval(() => {
  allowance = Math.min(allowance + (Number(rate) * tickMs) / 1_000, inFlight);
  for (; allowance >= 1 && !stopping && line < bodies.length && pending.size < inFlight; allowance--) {
    const sequence = line - from;
    const headers = createHeaders();
    headers.set('Nats-Msg-Id', `${name}:${sequence}`);
    headers.set(inferenceStream.producerHeader, name);
    headers.set(inferenceStream.sequenceHeader, String(sequence));
    const message = { body: bodies[line], headers, sent_at: 0 };
    pending.set(sequence, message);
    writeSync(log, `S ${name} ${sequence} ${line}\n`);
    send(sequence, message);
    line++;
  }
  const stale = Date.now() - resendMs;
  for (const [sequence, message] of pending) if (message.sent_at < stale) send(sequence, message);
  if ((stopping || line === bodies.length) && pending.size === 0) process.exit(0);
}, tickMs);
