import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSchema, type GraphQLError, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { checkManifest, keyOf, readManifest } from '../../src/http/persisted-manifest.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gesso-manifest-'));
});
afterAll(() => rm(folder, { recursive: true }));

const written = async (content: unknown): Promise<string> => {
  const path = join(folder, 'documents.json');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};
const keysOf = async (content: unknown) => [...(await readManifest(await written(content))).documents];
const refusal = async (content: unknown): Promise<string> => {
  const error = await keysOf(content).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as Error).message).toContain(join(folder, 'documents.json'));
  return (error as Error).message;
};

const TEXT = '{ viewer { scopes } }';
const HASH = '2c0ab65ec58d7ceb8cc5ba6ac4bbd22a9d1a5a4e8b4e9ab1bc2a5c0d7a0e4a3b';

describe('a manifest', () => {
  // As @apollo/generate-persisted-query-manifest 1.3.0 wrote it.
  const apollo = {
    format: 'apollo-persisted-query-manifest',
    version: 1,
    operations: [
      {
        id: 'd9461a1ebc6c08bc47e6f5d15e782b73553f70f57d003d82215e00d466ea201c',
        name: 'Viewer',
        type: 'query',
        body: 'query Viewer {\n  viewer {\n    ...V\n    __typename\n  }\n}\n\nfragment V on Viewer {\n  scopes\n  client {\n    id\n    name\n    __typename\n  }\n  __typename\n}',
      },
    ],
  };
  // As relay-compiler 21.0.1 wrote it, with the algorithms SHA256 and MD5.
  const relayText = 'query aViewerQuery {\n  viewer {\n    client {\n      id\n      name\n    }\n  }\n}\n';
  const relaySha256 = 'df576f27dd11aa6723884261ad8d98697dda4e6fa89ad44fa4e98967013f877d';
  const relayMd5 = 'a58046bae10f13ec543dc4edc87e1f7b';
  // As the client preset of GraphQL Code Generator wrote it.
  const codegenText = 'fragment V on Viewer { client { id name } scopes } query Viewer { viewer { ...V } }';
  const codegenSha256 = '4c247bd4cfab6aedd4821e500a5514d7cc5303b8c18355c11755f6609f87fdb9';

  it('of Apollo is read', async () => {
    const [operation] = apollo.operations;
    expect(await keysOf(apollo)).toEqual([[operation?.id, operation?.body]]);
  });

  it('of Relay is read, and its documents are found by their SHA-256 too', async () => {
    expect(await keysOf({ [relaySha256]: relayText })).toEqual([[relaySha256, relayText]]);
    expect(await keysOf({ [relayMd5]: relayText })).toEqual([
      [relayMd5, relayText],
      [relaySha256, relayText],
    ]);
  });

  it('of GraphQL Code Generator is read, whose identifiers have the prefix of the draft', async () => {
    expect(await keysOf({ [`sha256:${codegenSha256}`]: codegenText })).toEqual([
      [codegenSha256, codegenText],
    ]);
    expect(keyOf(`sha256:${codegenSha256}`)).toBe(codegenSha256);
  });

  it.each([
    ['with the prefix', `sha256:${HASH}`],
    ['bare', HASH],
    ['cut short', 'sha256:2c0a'],
    ['in capitals', `sha256:${HASH.toUpperCase()}`],
  ])('is refused where a SHA-256 is not that of its document: %s', async (_how, id) => {
    expect(await refusal({ [id]: TEXT })).toContain(`"${id}" is not the SHA-256 of its document`);
  });

  it('is refused where one identifier stands for two documents', async () => {
    const operations = ['{ a }', '{ b }'].map((body) => ({ id: 'one', body }));
    expect(await refusal({ ...apollo, operations })).toContain('"one" stands for two different documents');
  });

  it.each([
    ['is not there', undefined, "can't be read as JSON: ENOENT"],
    ['is no JSON', '{', "can't be read as JSON"],
    ['is a list', [], 'is no manifest'],
    ['is text', '"x"', 'is no manifest'],
    [
      'has something else than texts',
      { a: { b: 1 } },
      'is no manifest of Apollo, Relay or GraphQL Code Generator (a:',
    ],
    ['is of another format', { ...apollo, format: 'other' }, '(format:'],
    ['is of a later version', { ...apollo, version: 2 }, '(version:'],
    ['lacks a text', { ...apollo, operations: [{ id: 'one' }] }, '(operations.0.body:'],
    ['is empty', {}, 'holds no document'],
  ])('is refused where it %s', async (_what, content, message) => {
    if (content === undefined) await rm(join(folder, 'documents.json'), { force: true });
    const error = await (content === undefined
      ? readManifest(join(folder, 'documents.json')).catch((thrown: unknown) => thrown)
      : refusal(content));
    expect(String(error)).toContain(message);
  });

  it('is refused where a document can not be run here, by its name in the file', async () => {
    const schema = buildSchema('type Query { a: Int }');
    const manifest = await readManifest(await written({ good: '{ a }', bad: '{ b }', worse: '{' }));
    const check = () =>
      checkManifest(manifest, (text) => {
        try {
          return validate(schema, parse(text));
        } catch (error) {
          return [error as GraphQLError];
        }
      });
    expect(check).toThrow(ConfigError);
    expect(check).toThrow(/documents\.json .*"bad": Cannot query field "b".*"worse": Syntax Error/);
    expect(check).not.toThrow(/"good"/);
  });
});
