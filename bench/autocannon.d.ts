declare module 'autocannon' {
  interface Result {
    latency: { p50: number; p99: number };
    non2xx: number;
    errors: number;
    timeouts: number;
  }
  interface Request {
    path: string;
    method: 'GET' | 'POST';
    headers: Record<string, string>;
    body?: string;
    onResponse: (status: number, body: string) => void;
  }
  interface Options {
    url: string;
    connections: number;
    /** Seconds. */
    duration?: number;
    /** Requests altogether. */
    amount?: number;
    requests: Request[];
  }
  export default function autocannon(options: Options): Promise<Result>;
}
