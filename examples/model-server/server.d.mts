export interface ModelServer {
  /** Without a path: `http://127.0.0.1:<port>`. */
  url: string;
  port: number;
  close(): Promise<void>;
}

/** Trains the models mlb-props and nfl-props and serves them on loopback. Port 0, the default, takes a free one. */
export function startModelServer(options?: { port?: number }): Promise<ModelServer>;
