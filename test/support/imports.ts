import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface SourceFile {
  /** From `src/`, for instance `schema/image.ts`. */
  readonly path: string;
  readonly text: string;
}

/** One import of another file of `src/`. */
export interface Import {
  readonly from: string;
  /** From 1. */
  readonly line: number;
  /** From `src/`, like `from`. */
  readonly to: string;
  /** The values that are named; empty where only types are, and `*` for all or for what a dynamic import takes. */
  readonly values: readonly string[];
}

/** Every file under `src/`. */
export const sourceFiles = (): SourceFile[] =>
  globSync('**/*.ts', { cwd: join(ROOT, 'src') })
    .map((path) => ({ path, text: readFileSync(join(ROOT, 'src', path), 'utf8') }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));

const STATEMENT = /^(?:import|export)\s+(?:([^;'"`]*?)\s*from\s*)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** The imports of other files of `src/` by this one: static ones, `export … from`, and dynamic ones. */
export function importsOf({ path, text }: SourceFile): Import[] {
  const found = (at: number, specifier: string, values: readonly string[]): Import[] => {
    if (!specifier.startsWith('.')) return [];
    const to = relative('/', join('/', dirname(path), specifier));
    return [{ from: path, line: text.slice(0, at).split('\n').length, to, values }];
  };
  return [
    ...[...text.matchAll(STATEMENT)].flatMap(({ index, 1: clause, 2: specifier = '' }) =>
      found(index, specifier, clause === undefined ? ['*'] : valuesOf(clause)),
    ),
    ...[...text.matchAll(DYNAMIC)].flatMap(({ index, 1: specifier = '' }) => found(index, specifier, ['*'])),
  ];
}

/** The names in an import clause that are not types. */
function valuesOf(clause: string): string[] {
  if (/^type\b/.test(clause)) return [];
  const braces = /\{([^}]*)\}/.exec(clause)?.[1];
  const named = (braces ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
    .map((name) => name.split(/\s+as\s+/)[0] ?? name);
  const whole = clause
    .replace(/\{[^}]*\}/, '')
    .replaceAll(',', '')
    .trim();
  return whole === '' ? named : [...named, '*'];
}
