import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SETTINGS } from '../../src/config.ts';

/** The checkout. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** One page that people read, by its path from the checkout. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** A fenced block of a page. */
export interface Sample {
  readonly page: string;
  /** What stands behind the opening fence. */
  readonly language: string;
  readonly text: string;
  /** From the first line, where that is a comment with a file's name: `// gesso.config.ts`. */
  readonly fileName: string | undefined;
}

const PATHS = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].concat(
  readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
);

/** Every page. */
export const pages: readonly Page[] = PATHS.map((path) => ({
  path,
  text: readFileSync(join(ROOT, path), 'utf8'),
}));

/** @throws {Error} where there is no such page. */
export function pageOf(path: string): Page {
  const page = pages.find((candidate) => candidate.path === path);
  if (page === undefined) throw new Error(`There is no page ${path}.`);
  return page;
}

/** The fenced blocks of all pages, or of one. */
export function samplesOf(language: string, path?: string): Sample[] {
  return pages
    .filter((page) => path === undefined || page.path === path)
    .flatMap((page) =>
      [...page.text.matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)].map(([, fence = '', text = '']) => ({
        page: page.path,
        language: fence,
        text,
        fileName: /^(?:\/\/|#) ([\w.-]+\.(?:ts|env))\n/.exec(text)?.[1],
      })),
    )
    .filter((sample) => sample.language === language);
}

/** The one sample of a page that begins so. @throws {Error} where there is none, or several. */
export function sampleOf(path: string, language: string, beginning: string): Sample {
  const [sample, ...others] = samplesOf(language, path).filter(({ text }) => text.startsWith(beginning));
  if (sample === undefined || others.length > 0)
    throw new Error(`${path} has not one sample "${beginning}".`);
  return sample;
}

/** The rows of the table that follows a heading, cells without their backticks. */
export function tableOf(path: string, heading: string): string[][] {
  const { text } = pageOf(path);
  const section = text.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const [, , ...rows] = section.split('\n').filter((line) => line.startsWith('|'));
  if (rows.length === 0) throw new Error(`${path} has no table under "${heading}".`);
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** The README's reference of settings, as `SETTINGS` would have it. */
export function settingsTable(): string {
  const rows = Object.entries(SETTINGS).map(
    ([name, { env, default: given, about }]) =>
      `| \`${env}\` | \`${name}\` | ${given === undefined ? '' : `\`${given}\``} | ${about} |`,
  );
  return [
    '| Environment | `gesso.config.ts` | Default | What it is for |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** Links of a page into the checkout that lead nowhere: no such file, or no such heading. */
export function deadLinksOf({ path, text }: Page): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [file = '', anchor] = target.split('#');
      const absolute = file === '' ? join(ROOT, path) : join(ROOT, path, '..', file);
      if (!existsSync(absolute)) return true;
      if (anchor === undefined) return false;
      return !anchorsOf(pageOf(relative(ROOT, absolute)).text).includes(anchor);
    });
}

/** As GitHub makes them of headings. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );
