const pollMs = 1_000;

/**
 * Work that is taken up turn by turn: one after another while there is more to do, otherwise when it is woken, and every second besides. A turn
 * that fails is told of and tried again a second later.
 */
export class Turns {
  private running: Promise<void> = Promise.resolve();
  private woken = false;
  private stopped = false;
  private endNap: () => void = () => undefined;

  /** `turn` resolves to whether there may be more to do. */
  constructor(
    private readonly turn: () => Promise<boolean>,
    private readonly failed: (error: unknown) => void,
  ) {}

  start(): void {
    this.running = this.run();
  }

  /** Takes the next turn now; called after what is to be done has been committed. */
  wake(): void {
    this.woken = true;
    this.endNap();
  }

  /** Resolves when the turn that is under way is over. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.endNap();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      this.woken = false;
      const more = await this.turn().catch((error: unknown) => {
        this.failed(error);
        return false;
      });
      if (!more && !this.woken && !this.stopped) await this.nap();
    }
  }

  private nap(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      this.endNap = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
