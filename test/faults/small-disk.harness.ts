import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of its own in memory, which can be filled without harm to anybody else. Needs mount(2): see `whyNoDisk`. */
export class SmallDisk {
  readonly path = mkdtempSync(join(tmpdir(), 'emr-faults-disk-'));

  constructor(megabytes: number) {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'none', this.path]);
  }

  /** To the last block: the last gap is filled with the smallest pieces there are. */
  fill(): void {
    for (const piece of [1024 ** 2, 4 * 1024]) {
      try {
        for (;;) appendFileSync(this.ballast, Buffer.alloc(piece));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  }

  clear(): void {
    rmSync(this.ballast, { force: true });
  }

  remove(): void {
    execFileSync('/bin/umount', ['-l', this.path]);
    rmSync(this.path, { recursive: true });
  }

  private get ballast(): string {
    return join(this.path, 'ballast');
  }
}

/** Undefined where this process may mount a file system. */
export function whyNoDisk(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux may mount a disk';
  const place = mkdtempSync(join(tmpdir(), 'emr-faults-probe-'));
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', place], { stdio: 'ignore' });
    execFileSync('/bin/umount', [place]);
    return undefined;
  } catch {
    return 'this root may not mount a disk';
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
