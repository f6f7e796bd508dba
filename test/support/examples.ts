import { cp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Finished, runCommand } from './command.ts';
import { install, packPackage } from './package.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = join(CHECKOUT, 'examples');
const tool = (path: string) => join(CHECKOUT, 'node_modules', path);
const STRICT = [
  ...[
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--noUncheckedIndexedAccess',
    '--noImplicitOverride',
  ],
  ...['--erasableSyntaxOnly', '--verbatimModuleSyntax', '--isolatedModules', '--allowImportingTsExtensions'],
  ...['--module', 'nodenext', '--target', 'es2024', '--lib', 'es2024,esnext.disposable', '--skipLibCheck'],
  ...['--types', 'node', '--typeRoots', tool('@types')],
];

interface Manifest {
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** The examples as somebody has them who copied them, with nothing of this checkout in reach. */
export interface InstalledExamples {
  /** Where an example is. */
  folderOf(example: string): string;
  /** What the package is started by. */
  readonly bin: string;
  /** Checks the types of an example, strictly. */
  checkTypes(example: string): Promise<Finished>;
  /** Runs the example's own tests. */
  runTests(example: string): Promise<Finished>;
  remove(): Promise<void>;
}

/** By their folders' names. */
export async function exampleNames(): Promise<string[]> {
  const entries = await readdir(EXAMPLES, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** Every bare name that the sources of an example import. */
export async function importsOfExample(example: string): Promise<string[]> {
  const folder = join(EXAMPLES, example);
  const sources = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
  const texts = await Promise.all(sources.map((name) => readFile(join(folder, name), 'utf8')));
  const names = texts.flatMap((text) =>
    [...text.matchAll(/from '([^'.][^']*)'/g)].map(([, name = '']) => name),
  );
  return [...new Set(names)].sort();
}

/**
 * Packs the package, and installs it for all examples at once: they are workspaces of one folder, in which each asks
 * for the tarball rather than for the version that is not published yet. Vitest is this checkout's.
 */
export async function installExamples(): Promise<InstalledExamples> {
  const { tarball, folder, remove } = await packPackage();
  try {
    const names = await exampleNames();
    for (const name of names) {
      const own = join(folder, name);
      await cp(join(EXAMPLES, name), own, {
        recursive: true,
        filter: (path) => !path.includes('node_modules'),
      });
      const { devDependencies: _given, ...manifest } = await manifestOf(own);
      await write(own, { ...manifest, dependencies: { ...manifest.dependencies, gesso: `file:${tarball}` } });
    }
    await write(folder, { private: true, workspaces: names } as Manifest);
    await install(folder);
    await symlink(tool('vitest'), join(folder, 'node_modules/vitest'));
    const run = (example: string, ...command: string[]) =>
      runCommand([], {
        command: [process.execPath, ...command],
        cwd: join(folder, example),
        timeoutMs: 120_000,
      });
    return {
      folderOf: (example) => join(folder, example),
      bin: join(folder, 'node_modules/gesso/bin/gesso.js'),
      async checkTypes(example) {
        const sources = (await readdir(join(folder, example))).filter((name) => name.endsWith('.ts'));
        return run(example, tool('typescript/bin/tsc'), ...STRICT, ...sources);
      },
      runTests: (example) => run(example, join(folder, 'node_modules/vitest/vitest.mjs'), 'run'),
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

export const manifestOf = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
const write = (folder: string, manifest: Manifest): Promise<void> =>
  writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
