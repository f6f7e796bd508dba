import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.ts';

/** The package as somebody else gets it: installed from its tarball into a folder of its own. */
export interface InstalledPackage {
  /** The folder that it was installed into, with nothing of this checkout in reach. */
  readonly folder: string;
  /** Paths of what was in the tarball. */
  readonly files: readonly string[];
  remove(): Promise<void>;
}

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
/** What is no part of a fresh clone, or no part of what is published. */
const LEFT_OUT = new Set(['node_modules', 'dist', '.git', '.gesso', 'test', 'bench']);
const NPM_MS = 120_000;

async function npm(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await runCommand(args, { command: ['npm'], cwd, timeoutMs: NPM_MS });
  if (code !== 0) throw new Error(`npm ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}

/** The package as it would be published. */
export interface PackedPackage {
  /** Path of the tarball. */
  readonly tarball: string;
  /** A folder beside it, for whatever installs it; removed with it. */
  readonly folder: string;
  remove(): Promise<void>;
}

/** Builds and packs a copy of this checkout, beside it rather than in it. */
export async function packPackage(): Promise<PackedPackage> {
  const root = await mkdtemp(join(tmpdir(), 'gesso-package-'));
  const remove = () => rm(root, { recursive: true, force: true });
  try {
    const [clone, folder] = [join(root, 'clone'), join(root, 'app')];
    for (const name of await readdir(CHECKOUT)) {
      if (!LEFT_OUT.has(name)) await cp(join(CHECKOUT, name), join(clone, name), { recursive: true });
    }
    await symlink(join(CHECKOUT, 'node_modules'), join(clone, 'node_modules'));
    await npm(['pack', '--pack-destination', root], clone);
    const tarball = (await readdir(root)).find((name) => name.endsWith('.tgz')) ?? 'no tarball';
    await mkdir(folder);
    return { tarball: join(root, tarball), folder, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Installs what the `package.json` of the folder asks for, and these beside it. */
export async function install(folder: string, ...packages: readonly string[]): Promise<void> {
  await npm(['install', ...packages, '--prefer-offline', '--no-audit', '--no-fund'], folder);
}

/** Packs the package, and installs the tarball into a folder of its own. */
export async function packAndInstall(): Promise<InstalledPackage> {
  const { tarball, folder, remove } = await packPackage();
  try {
    const manifest = { name: 'app', private: true, type: 'module' };
    await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
    await install(folder, tarball);
    const installed = join(folder, 'node_modules/gesso');
    const entries = await readdir(installed, { recursive: true, withFileTypes: true });
    return {
      folder,
      files: entries
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => relative(installed, join(parentPath, name))),
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
