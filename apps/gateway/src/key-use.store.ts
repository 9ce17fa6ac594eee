import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { noteKeyUse } from '#contracts/access.js';
import { Bus } from '#runtime/bus.js';
import { system } from '#runtime/caller.js';
import { Logger } from '#runtime/logger.js';

const tellEveryMs = 60_000;
const atOnce = 1_000;

/**
 * Which keys were used here since the registry was last told, which is once a minute. What a gateway knew is lost when it is killed; while the
 * registry is away it is kept. So `last_used_at` may be too old, and never too young.
 */
@Injectable()
export class KeyUses implements OnModuleDestroy {
  private used = new Set<string>();
  private readonly timer = setInterval(() => void this.tell(), tellEveryMs);

  constructor(
    private readonly bus: Bus,
    private readonly logger: Logger,
  ) {}

  note(key_id: string): void {
    this.used.add(key_id);
  }

  async tell(): Promise<void> {
    const key_ids = [...this.used];
    this.used = new Set();
    for (let at = 0; at < key_ids.length; at += atOnce) {
      const part = key_ids.slice(at, at + atOnce);
      try {
        await this.bus.ask(noteKeyUse, { key_ids: part }, system('key_use'));
      } catch (error) {
        this.logger.debug(`Could not tell which keys were used; trying again in a minute: ${String(error)}`, 'keys');
        for (const key_id of part) this.used.add(key_id);
      }
    }
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.tell();
  }
}
