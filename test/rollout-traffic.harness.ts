import { type Flag } from '#contracts/flags.js';
import { compileFlag } from '#evaluation/compiled-flag.js';
import { seededRandom } from '#statistics/seeded-random.js';
import { type Api } from './api.harness.js';

/** How the model behind a variant behaves. */
export interface Behaviour {
  /** 0..1 */
  failures: number;
  /** Median of its timings. */
  timing_ms: number;
}

const everyMs = 100;
const requestsAtOnce = 400;

/** Requests of ever new users, each directed as the flag says at the moment, and reported as an application would. */
export class Traffic {
  private readonly next = seededRandom(1);
  private running: Promise<void> = Promise.resolve();
  private stopped = false;
  private users = 0;

  constructor(
    private readonly api: Api,
    private readonly flag_key: string,
    readonly behaviours: Record<string, Behaviour>,
  ) {}

  /** `count` requests at once. */
  async send(count: number): Promise<void> {
    const flag = await this.api.data<Flag>(`/flags/${this.flag_key}`);
    const compiled = compileFlag(flag, {});
    const events = Array.from({ length: count }, () => {
      const { variant, model_id } = compiled.evaluate({ targetingKey: `user-${this.users++}` }, Date.now());
      const { failures, timing_ms } = this.behaviours[variant!]!;
      const timing = timing_ms * Math.exp(0.3 * this.normal());
      return { model_id, flag_key: this.flag_key, variant, timing_ms: timing, success: this.uniform() >= failures };
    });
    await this.api.data('/inference/batch', { method: 'POST', body: { events } });
  }

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      // Whatever is away at present comes back.
      await this.send(requestsAtOnce).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  private uniform(): number {
    return (this.next() + 0.5) / 2 ** 32;
  }

  private normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
}
