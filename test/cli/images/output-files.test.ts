import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planFiles, slug, writeWhole } from '../../../src/cli/images/output-files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gesso-cli-files-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const plan = async (details: { output?: string; count?: number; title?: string; force?: boolean }) => {
  const { output, count = 1, title = 'A boat', force = false } = details;
  const files = await planFiles({ output, folder, title, extension: '.png', count, force });
  return files.map((file) => file.slice(folder.length + 1));
};

describe('a name for a picture', () => {
  it.each([
    ['A lighthouse on a cliff at dawn, gouache', 'a-lighthouse-on-a-cliff-at-dawn-gouache'],
    ['Éclair & crème brûlée!', 'eclair-creme-brulee'],
    ['夜明けの灯台、やわらかい光', '夜明けの灯台-やわらかい光'],
    ['../../etc/passwd\u0000', 'etc-passwd'],
    ['🗼🗼', 'image'],
    ['x'.repeat(60), 'x'.repeat(24)],
    [`${'word '.repeat(30)}`, 'word-word-word-word-word-word-word-word-word'],
  ])('of %j is %s', (title, name) => {
    expect(slug(title)).toBe(name);
  });
});

describe('the files of a command', () => {
  it('are the one that is named, numbered where there are several', async () => {
    expect(await plan({ output: 'poster.webp' })).toEqual(['poster.webp']);
    expect(await plan({ output: 'poster.webp', count: 2 })).toEqual(['poster-1.webp', 'poster-2.webp']);
    expect(await plan({ output: 'poster' })).toEqual(['poster.png']);
  });

  it('lie in a folder that is named, and are named after the title', async () => {
    await mkdir(join(folder, 'posters'));
    expect(await plan({ output: 'posters' })).toEqual([join('posters', 'a-boat.png')]);
    expect(await plan({ output: 'posters/' })).toEqual([join('posters', 'a-boat.png')]);
  });

  it('take no name that is taken', async () => {
    await writeFile(join(folder, 'a-boat-2.png'), 'mine');
    expect(await plan({})).toEqual(['a-boat.png']);
    expect(await plan({ count: 2 })).toEqual(['a-boat-2-1.png', 'a-boat-2-2.png']);
    await writeFile(join(folder, 'poster-2.png'), 'mine');
    await expect(plan({ output: 'poster.png', count: 2 })).rejects.toThrow('poster-2.png is there already.');
    expect(await plan({ output: 'poster.png', count: 2, force: true })).toHaveLength(2);
  });

  it('replace what was named after the title before, where that is asked for', async () => {
    await writeFile(join(folder, 'a-boat.png'), 'mine');
    expect(await plan({ force: true })).toEqual(['a-boat.png']);
    expect(await plan({ force: true, count: 2 })).toEqual(['a-boat-1.png', 'a-boat-2.png']);
    await mkdir(join(folder, 'poster-2.png'));
    const overFolder = plan({ output: 'poster.png', count: 2, force: true });
    await expect(overFolder).rejects.toThrow('poster-2.png is a folder.');
  });

  it('are refused where their folder can not be written', async () => {
    await mkdir(join(folder, 'closed'));
    await chmod(join(folder, 'closed'), 0o500);
    await expect(plan({ output: 'nowhere/boat.png' })).rejects.toThrow('There is no folder nowhere.');
    // Root may write everywhere.
    if (process.getuid?.() !== 0) {
      await expect(plan({ output: 'closed/boat.png' })).rejects.toThrow("The folder closed can't be written");
    }
  });
});

describe('a file that is written', () => {
  it('takes another name where somebody took its own meanwhile, because it is paid for', async () => {
    await writeFile(join(folder, 'boat.png'), 'mine');
    const path = await writeWhole(join(folder, 'boat.png'), Buffer.from('bought'), { force: false });
    expect(path).toBe(join(folder, 'boat-2.png'));
    expect(await readFile(join(folder, 'boat.png'), 'utf8')).toBe('mine');
    expect(await readFile(path, 'utf8')).toBe('bought');
    expect((await readdir(folder)).sort()).toEqual(['boat-2.png', 'boat.png']);
  });

  it('replaces what is there where that is asked for, as a whole', async () => {
    await writeFile(join(folder, 'boat.png'), 'mine');
    await writeWhole(join(folder, 'boat.png'), Buffer.from('bought'), { force: true });
    expect(await readFile(join(folder, 'boat.png'), 'utf8')).toBe('bought');
    expect(await readdir(folder)).toEqual(['boat.png']);
  });
});
