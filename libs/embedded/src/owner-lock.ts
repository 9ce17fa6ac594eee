import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startOf } from './os-process.js';
import { ServerError } from './server-error.js';

const lockName = 'owner.lock';

/** The directory is in use by another process that is alive. */
export class DirectoryInUse extends ServerError {
  constructor(
    readonly directory: string,
    readonly pid: number,
  ) {
    super(`${directory} is in use by process ${pid}; stop that one first, or set DATA_DIR to another folder`);
  }
}

/**
 * Makes this process the only owner of a directory (made if missing) and answers the function that gives it up again. A lock whose owner
 * is dead, also when its pid has since gone to another process, is taken over. Throws DirectoryInUse while the owner lives.
 */
export function claimDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true });
  const lock = join(directory, lockName);
  const mine = `${process.pid} ${startOf(process.pid) ?? ''}\n`;
  // A lock appears complete or not at all: it is written under a name of its own and linked into place.
  const draft = join(directory, `${lockName}.${randomUUID()}`);
  writeFileSync(draft, mine);
  try {
    while (!linked(draft, lock)) takeAwayDead(directory, lock);
  } finally {
    rmSync(draft, { force: true });
  }
  return () => {
    if (read(lock) === mine) rmSync(lock, { force: true });
  };
}

/** The living process that owns the directory, if there is one. */
export function ownerOf(directory: string): number | undefined {
  return livingOwner(read(join(directory, lockName)));
}

function takeAwayDead(directory: string, lock: string): void {
  const owner = livingOwner(read(lock));
  if (owner !== undefined) throw new DirectoryInUse(directory, owner);
  const moved = join(directory, `${lockName}.${randomUUID()}`);
  if (!renamed(lock, moved)) return;
  // Between the look and the move another starter may have put its own lock there: give it back.
  const moveOwner = livingOwner(read(moved));
  if (moveOwner !== undefined) linked(moved, lock);
  rmSync(moved, { force: true });
  if (moveOwner !== undefined) throw new DirectoryInUse(directory, moveOwner);
}

function livingOwner(content: string | undefined): number | undefined {
  const [pid = '', started = ''] = (content ?? '').trim().split(/ (.*)/);
  return /^\d+$/.test(pid) && startOf(Number(pid)) === started ? Number(pid) : undefined;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

const linked = (from: string, to: string): boolean => unless('EEXIST', () => linkSync(from, to));
const renamed = (from: string, to: string): boolean => unless('ENOENT', () => renameSync(from, to));

function unless(code: string, act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return false;
    throw error;
  }
}
