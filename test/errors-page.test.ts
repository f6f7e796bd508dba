import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, GraphQLError, isEnumType, isUnionType } from 'graphql';
import { describe, expect, it } from 'vitest';
import * as errors from '../src/errors.ts';
import type { Generation } from '../src/generation.ts';
import { createMaskError } from '../src/http/mask-error.ts';
import { resultOf } from '../src/schema/generate-image-result.ts';
import { sourceFiles } from './support/imports.ts';
import { ROOT, tableOf } from './support/readme-pages.ts';

const PAGE = 'docs/errors.md';
const schema = buildSchema(readFileSync(join(ROOT, 'schema.graphql'), 'utf8'));
const wordsOf = (cell = ''): string[] => [...cell.matchAll(/`(\w+)`/g)].map(([, word = '']) => word);
/** The first word of each row under these headings, with what its last cell says. */
const rowsOf = (...headings: string[]): Map<string, string> =>
  new Map(
    headings
      .flatMap((heading) => tableOf(PAGE, heading))
      .map((row) => [wordsOf(row[0])[0] ?? row[0] ?? '', row.at(-1) ?? '']),
  );

describe('docs/errors.md', () => {
  const unions = Object.values(schema.getTypeMap()).filter(isUnionType);
  const generateImage = 'The members of `GenerateImageResult`';
  const members = rowsOf(generateImage, 'Those that are not above');

  it.each(unions.map(({ name }) => name))('says what to do about every member of %s', (name) => {
    const union = schema.getType(name);
    const names = isUnionType(union) ? union.getTypes().map((member) => member.name) : [];
    expect(names.filter((member) => !members.get(member))).toEqual([]);
    const listed = new Map(
      tableOf(PAGE, 'The members of the other unions').map(([of, cell]) => [wordsOf(of)[0], wordsOf(cell)]),
    );
    const said = name === 'GenerateImageResult' ? [...rowsOf(generateImage).keys()] : listed.get(name);
    expect(said?.toSorted()).toEqual(names.toSorted());
  });

  it('has no member that there is none of', () => {
    const known = new Set(unions.flatMap((union) => union.getTypes().map(({ name }) => name)));
    expect([...members.keys()].filter((name) => !known.has(name))).toEqual([]);
  });

  const failures = tableOf(PAGE, 'How a generation failed').map((row) =>
    row.flatMap((cell) => wordsOf(cell)),
  );

  it('has every code of a failure', () => {
    const type = schema.getType('GenerationFailureCode');
    const codes = isEnumType(type) ? type.getValues().map(({ name }) => name) : [];
    expect(failures.map(([code = '']) => code).toSorted()).toEqual(codes.toSorted());
  });

  it.each(failures)('says which member tells of %s: %s', (code, member) => {
    const generation = { status: 'FAILED', failure: { code } } as Generation;
    expect(resultOf({ generation, image: undefined, replayed: false }).__typename).toBe(member);
  });

  const codes = rowsOf('Top-level errors', 'Persisted documents', 'Image URLs');

  it('says what to do about every code that an error of the gateway shows to clients', () => {
    /** What a class must be given to be made, beside a message. */
    const given: Readonly<Record<string, readonly unknown[]>> = {
      InvalidInputError: [[]],
      QuotaExceededError: [1, new Date()],
      ProviderFailure: ['', { outcome: 'UNKNOWN' }],
    };
    const mask = createMaskError(() => {});
    const shown = Object.values(errors)
      .filter((Class) => Class !== errors.GatewayError)
      .map((Class) => Reflect.construct(Class, given[Class.name] ?? ['']))
      .map((error: Error) => mask(new GraphQLError('', { originalError: error })).extensions.code);
    expect(shown).toContain('UNAUTHENTICATED');
    expect([...new Set(shown)].filter((code) => !codes.get(String(code)))).toEqual([]);
  });

  const ofHttp = sourceFiles().filter(({ path }) => path.startsWith('http/'));

  it('says what to do about every code that is written in src/http', () => {
    const written = ofHttp.flatMap(({ text }) => text.match(/(?<=')[A-Z]{3,}(_[A-Z]+)+(?=')/g) ?? []);
    expect(written).toContain('TOO_MANY_IMAGES');
    expect([...new Set(written)].filter((code) => !codes.get(code))).toEqual([]);
  });

  it('says what to do about every code that a WebSocket is closed with', () => {
    const { text = '' } = ofHttp.find(({ path }) => path === 'http/websocket.ts') ?? {};
    const closed = text.match(/(?<= = )1\d{3}(?=;)/g) ?? [];
    expect(closed).toContain('1012');
    const said = rowsOf('A WebSocket that is closed');
    expect([...new Set(closed), '4401'].filter((code) => !said.get(code))).toEqual([]);
  });
});
