import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newDirectory, removeDirectory } from './embedded.harness.js';
import { claimDirectory, DirectoryInUse, ownerOf } from './owner-lock.js';

describe('claimDirectory', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await newDirectory();
  });

  afterEach(() => removeDirectory(directory));

  it('lets one owner in at a time and the next one after its release', () => {
    const release = claimDirectory(directory);
    expect(ownerOf(directory)).toBe(process.pid);
    expect(() => claimDirectory(directory)).toThrow(new DirectoryInUse(directory, process.pid));
    release();
    expect(ownerOf(directory)).toBeUndefined();
    claimDirectory(directory)();
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each([
    ['of a process that is dead', '999999999 12345\n'],
    ['whose pid another process has by now', `${process.pid} 1\n`],
    ['that is empty', ''],
    ['that is not one of ours', 'hello\n'],
  ])('takes over a lock %s', (_which, content) => {
    const lock = join(directory, 'owner.lock');
    writeFileSync(lock, content);
    const release = claimDirectory(directory);
    expect(readFileSync(lock, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
    release();
    expect(existsSync(lock)).toBe(false);
  });

  it('does not take a lock away that has become another owner’s', () => {
    const release = claimDirectory(directory);
    const lock = join(directory, 'owner.lock');
    writeFileSync(lock, 'another owner\n');
    release();
    expect(readFileSync(lock, 'utf8')).toBe('another owner\n');
  });
});
