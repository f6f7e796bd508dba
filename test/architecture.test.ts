import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importsOf, type SourceFile, sourceFiles } from './support/imports.ts';
import { breachOf, linesWith, roomOf } from './support/rooms.ts';

const files = sourceFiles();
const imports = files.flatMap(importsOf);
const textOf = (path: string) => files.find((file) => file.path === path)?.text ?? '';

describe('the rooms of src/', () => {
  it('import what the table in docs/architecture.md lets them, and nothing else', () => {
    expect(imports.map(breachOf).filter((breach) => breach !== undefined)).toEqual([]);
  });

  it('are planned for every file', () => {
    expect(files.filter(({ path }) => roomOf(path) === undefined).map(({ path }) => path)).toEqual([]);
  });

  it('import nothing from outside src/', () => {
    expect(imports.filter(({ to }) => to.startsWith('..'))).toEqual([]);
    expect(imports.filter(({ to }) => !files.some(({ path }) => path === to))).toEqual([]);
  });

  it('leave concrete providers and middleware to gateway.ts, and the sandbox to the commands that need it', () => {
    const importersOf = (room: RegExp) => [
      ...new Set(imports.filter(({ from, to }) => room.test(to) && !room.test(from)).map(({ from }) => from)),
    ];
    expect(importersOf(/^middleware\/(?!middleware\.ts)/)).toEqual(['gateway.ts']);
    expect(importersOf(/^providers\/(?!provider\.ts)/)).toEqual(['gateway.ts']);
    expect(importersOf(/^sandbox\//).sort()).toEqual(['cli/sandbox.ts', 'cli/start.ts', 'testing/index.ts']);
  });
});

describe('the environment and the command line', () => {
  it('are read by cli/ and main.ts alone', () => {
    const reading = (pattern: RegExp) => files.flatMap((file) => linesWith(file, pattern));
    const outside = (lines: string[], ...allowed: RegExp[]) =>
      lines.filter((line) => !allowed.some((pattern) => pattern.test(line)));
    const argv = reading(/process\.argv/);
    expect(argv.length).toBeGreaterThan(0);
    expect(outside(argv, /^src\/main\.ts/, /^src\/cli\//)).toEqual([]);
    const environment = reading(/process\.env\b|process\['env'\]|loadEnvFile/);
    expect(environment.length).toBeGreaterThan(0);
    // The embedded server is handed the system's own variables (PATH and the like); they are no settings.
    expect(outside(environment, /^src\/cli\//, /^src\/ledger\/embedded\/server-user\.ts/)).toEqual([]);
  });
});

describe('the files of src/', () => {
  it('have one idea each: none is longer than 300 lines', () => {
    const long = files.filter(({ text }) => text.trimEnd().split('\n').length > 300);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  it('that are plug-ins have a test of the same name; contracts have a conformance suite', () => {
    const isPlugin = ({ path }: SourceFile) => /^(providers|middleware)\/[^/]+\.ts$/.test(path);
    const isContract = (path: string) => /(provider|middleware)\.ts$/.test(path);
    const tests = files.filter(isPlugin).map(({ path }) => {
      return isContract(path)
        ? `src/testing/describe-${basename(path)}`
        : `test/${path.replace(/\.ts$/, '.test.ts')}`;
    });
    expect(tests.length).toBeGreaterThan(8);
    expect(tests.filter((path) => !existsSync(new URL(`../${path}`, import.meta.url)))).toEqual([]);
  });

  it('schema/builder.ts defines no type', () => {
    const defining =
      /builder\.(objectType|objectRef|inputType|inputRef|enumType|unionType|interfaceType|interfaceRef|scalarType|addScalarType|node|loadable\w+)\b/;
    expect(linesWith({ path: 'schema/builder.ts', text: textOf('schema/builder.ts') }, defining)).toEqual([]);
  });

  it('schema/index.ts only imports, and builds', () => {
    const code = textOf('schema/index.ts').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    const statements = code.split('\n').filter((line) => line.trim() !== '');
    const others = statements.filter((line) => !line.startsWith('import '));
    expect(others).toEqual(['export const schema = builder.toSchema();']);
    for (const { path } of files.filter((file) => /^schema\/.*\.ts$/.test(file.path))) {
      if (path === 'schema/index.ts') continue;
      // Directly or by way of another type; a file that nobody imports is a type that nobody sees.
      expect(
        imports.some(({ to }) => to === path),
        `${path} is imported`,
      ).toBe(true);
    }
  });
});

describe('this test', () => {
  const file = (path: string, text: string): SourceFile => ({ path, text });
  const breaches = (path: string, text: string) =>
    importsOf(file(path, text))
      .map(breachOf)
      .filter((breach) => breach !== undefined);

  it.each<[string, string, string, string]>([
    [
      'a value',
      'schema/x.ts',
      `import { retry } from '../middleware/retry.ts';`,
      'src/schema/x.ts:1: may not import middleware/retry.ts',
    ],
    [
      'a type',
      'images/x.ts',
      `\nimport type { Run } from '../ledger/runs.ts';`,
      'src/images/x.ts:2: may not import ledger/runs.ts',
    ],
    [
      'a sibling',
      'providers/x.ts',
      `import './bettertoken.ts';`,
      'src/providers/x.ts:1: may not import providers/bettertoken.ts',
    ],
    [
      'an export',
      'ledger/x.ts',
      `export * from '../schema/index.ts';`,
      'src/ledger/x.ts:1: may not import schema/index.ts',
    ],
    [
      'a dynamic import',
      'gateway.ts',
      `\n\n  const a = await import('./sandbox/sandbox.ts');`,
      'src/gateway.ts:3: may not import sandbox/sandbox.ts',
    ],
    [
      'an import over several lines',
      'http/x.ts',
      `import {\n  a,\n} from '../cli/keys.ts';`,
      'src/http/x.ts:1: may not import cli/keys.ts',
    ],
    [
      'a value among types',
      'middleware/x.ts',
      `import { type A, persist } from '../ledger/persist.ts';`,
      'src/middleware/x.ts:1: may import types from ledger/persist.ts, not persist',
    ],
    [
      'another value of a file',
      'schema/x.ts',
      `import { utcDay, quotaUsed } from '../ledger/quota.ts';`,
      'src/schema/x.ts:1: may import types from ledger/quota.ts, not quotaUsed',
    ],
    [
      'a file of no room',
      'utils.ts',
      `import './errors.ts';`,
      'src/utils.ts:1: no room is planned for this file',
    ],
  ])('names file and line of a breach: %s', (_name, path, text, breach) => {
    expect(breaches(path, text)).toEqual([breach]);
  });

  it('lets pass what is right', () => {
    expect(breaches('middleware/x.ts', `import { type A, type B } from '../ledger/attempts.ts';`)).toEqual(
      [],
    );
    expect(breaches('schema/x.ts', `import { utcDay as day } from '../ledger/quota.ts';`)).toEqual([]);
    expect(breaches('schema/x.ts', `import fs from 'node:fs';\nimport sharp from 'sharp';`)).toEqual([]);
  });
});
