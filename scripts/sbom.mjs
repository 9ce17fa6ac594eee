// The bill of materials of what is shipped, as CycloneDX: node scripts/sbom.mjs > sbom.cdx.json. From the lockfile alone, so no network is needed.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const options = ['--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
const { status, stdout } = spawnSync('npm', ['sbom', ...options], {
  cwd: root,
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
  maxBuffer: 64 * 1024 ** 2,
});
if (status !== 0) process.exit(status ?? 1);

const { name, version, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const self = `${name}@${version}`;
const sbom = JSON.parse(stdout);
const needs = new Map(sbom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
const direct = needs.get(self).filter((ref) => dependencies[ref.replace(/@[^@]*$/, '')]);

// npm's own --omit=dev also leaves out packages that are shipped, when a peer of one for development is the same.
const shipped = new Set();
for (const wanted = [...direct]; wanted.length > 0;) {
  const ref = wanted.pop();
  if (shipped.has(ref)) continue;
  shipped.add(ref);
  wanted.push(...(needs.get(ref) ?? []));
}
// npm names it after the folder.
sbom.metadata.component.name = name;
sbom.components = sbom.components.filter((component) => shipped.has(component['bom-ref']));
sbom.dependencies = sbom.dependencies
  .filter(({ ref }) => ref === self || shipped.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: ref === self ? direct : dependsOn }));
process.stdout.write(`${JSON.stringify(sbom, null, 2)}\n`);
