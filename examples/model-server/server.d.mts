export interface ModelServer {
  /** Without a path: `http://127.0.0.1:<port>`. */
  url: string;
  port: number;
  close(): Promise<void>;
}

/** In what way the model long-answers is served. */
export type Variant = 'good' | 'slow' | 'inaccurate' | 'flaky' | 'failing';

/** Trains the models mlb-props, nfl-props and long-answers and serves them on loopback. Port 0, the default, takes a free one. */
export function startModelServer(options?: { port?: number; variant?: Variant }): Promise<ModelServer>;
