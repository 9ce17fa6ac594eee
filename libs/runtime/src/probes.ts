import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { serviceUnavailable } from '#contracts/errors.js';
import { type Telemetry } from './telemetry.js';

type Check = () => Promise<void> | void;

const checkDeadlineMs = 1_000;
const requestTimeoutMs = 10_000;

export interface ReadinessReport {
  ready: boolean;
  /** Each check by name: `ok`, or why not. */
  checks: Record<string, string>;
}

/** Whether this process can do its work now. Starts as not ready; parts add their checks; shutting down makes it not ready first. */
export class Readiness {
  private readonly checks = new Map<string, Check>();
  private phase: 'starting' | 'running' | 'stopping' = 'starting';

  /** `check` throws, or hangs for a second, when the part it speaks for cannot work. Its message is shown to whoever can read probes. */
  add(name: string, check: Check): void {
    this.checks.set(name, check);
  }

  /** Where the process can do its work without that part. */
  remove(name: string): void {
    this.checks.delete(name);
  }

  get isStarting(): boolean {
    return this.phase === 'starting';
  }

  /** From the signal on: before requests in hand are finished, and parts are told to stop. */
  get isStopping(): boolean {
    return this.phase === 'stopping';
  }

  started(): void {
    this.phase = 'running';
  }

  stopping(): void {
    this.phase = 'stopping';
  }

  async report(): Promise<ReadinessReport> {
    if (this.phase === 'stopping') return { ready: false, checks: { process: this.phase } };
    const results = await Promise.all([...this.checks].map(async ([name, check]) => [name, await outcome(check)] as const));
    const checks = Object.fromEntries(results);
    // What a start still waits for is what its checks say.
    if (this.phase === 'starting') return { ready: false, checks: { process: this.phase, ...checks } };
    return { ready: results.every(([, result]) => result === 'ok'), checks };
  }
}

async function outcome(check: Check): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer within 1 s')), checkDeadlineMs);
  });
  try {
    await Promise.race([Promise.resolve().then(check), deadline]);
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

/** `/livez`, `/readyz` and `/metrics` of a service, on a port of its own. Answers from the first moment of the process. */
export class ProbeServer {
  private constructor(private readonly server: Server) {}

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  static async listen(host: string, port: number, readiness: Readiness, telemetry: Telemetry): Promise<ProbeServer> {
    const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs }, (request, response) => {
      void probe(request.url ?? '', readiness, telemetry).then(({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type, ...(status === 503 && { 'retry-after': '1' }) }).end(body);
      });
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
    return new ProbeServer(server);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

interface ProbeAnswer {
  status: number;
  type: string;
  body: string;
}

async function probe(path: string, readiness: Readiness, telemetry: Telemetry): Promise<ProbeAnswer> {
  if (path === '/livez') return { status: 200, type: 'application/json', body: '{"live":true}' };
  if (path === '/readyz') {
    const report = await readiness.report();
    return { status: report.ready ? 200 : 503, type: 'application/json', body: JSON.stringify(report) };
  }
  if (path === '/metrics') return { status: 200, type: telemetry.registry.contentType, body: await telemetry.registry.metrics() };
  // The gateway's own port before the gateway itself listens there.
  if (readiness.isStarting) {
    const error = serviceUnavailable('gateway').toBody();
    return { status: 503, type: 'application/json', body: JSON.stringify({ success: false, data: null, error }) };
  }
  return { status: 404, type: 'application/json', body: '{"paths":["/livez","/readyz","/metrics"]}' };
}
