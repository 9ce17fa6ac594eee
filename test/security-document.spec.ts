import { existsSync, readFileSync } from 'node:fs';

const text = readFileSync('docs/security.md', 'utf8');
/** Each risk with its part of the page. */
const parts = text
  .split(/^### /m)
  .slice(1)
  .map((part) => ({ title: part.split('\n')[0] ?? '', named: namedIn(part.split('\n## ')[0] ?? '') }));

/** Tests by file and name, as the page's tables name them; the name is null where the whole file is meant. */
function namedIn(part: string): { file: string; name: string | null }[] {
  return [...part.matchAll(/^\| `([^`]+\.spec\.ts)`(?: \*([^*]+)\*)? \|/gm)].map(([, file = '', name]) => ({ file, name: name ?? null }));
}

describe('docs/security.md', () => {
  it('has the ten risks in their order, and at least two tests for each', () => {
    expect(parts.map(({ title }) => title.split(' ')[0])).toEqual(Array.from({ length: 10 }, (_, at) => `API${at + 1}`));
    expect(parts.filter(({ named }) => named.length < 2)).toEqual([]);
  });

  it('names files and tests that there are', () => {
    const missing = parts
      .flatMap(({ named }) => named)
      .filter(({ file, name }) => !existsSync(file) || (name !== null && !readFileSync(file, 'utf8').includes(`'${name}'`)));
    expect(missing).toEqual([]);
  });

  it('names pages of decisions that there are', () => {
    const pages = [...text.matchAll(/\]\((adr\/[^)]+)\)/g)].map(([, page]) => page!);
    expect(pages.length).toBeGreaterThan(3);
    expect(pages.filter((page) => !existsSync(`docs/${page}`))).toEqual([]);
  });
});
