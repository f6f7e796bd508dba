import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codegen } from '@graphql-codegen/core';
import * as operations from '@graphql-codegen/typescript-operations';
import { isUnionType, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../support/readme-pages.ts';
import { MEMBERS } from './support/members.ts';
import { GENERATE_IMAGE } from './support/operations.ts';
import { compileRelay, type RelayArtifacts } from './support/relay-compile.ts';
import { SCHEMA_TEXT, schema } from './support/schema-text.ts';

describe('the table of members', () => {
  it('has every member of the union, so that each client is tested with each', () => {
    const union = schema.getType('GenerateImageResult');
    const members = isUnionType(union) ? union.getTypes().map(({ name }) => name) : [];
    expect(members.length).toBeGreaterThan(0);
    expect(Object.keys(MEMBERS).sort()).toEqual(members.toSorted());
  });
});

/** As the graphql-codegen of an application has it, for Apollo, urql and graphql-request. */
const typesByCodegen = () =>
  codegen({
    filename: 'types.ts',
    schema: parse(SCHEMA_TEXT),
    documents: [{ document: parse(GENERATE_IMAGE.text) }],
    plugins: [{ operations: {} }],
    pluginMap: { operations },
    config: {
      scalars: { DateTime: 'string', URL: 'string', Base64String: 'string' },
      nonOptionalTypename: true,
    },
  });

/** Holds only where a switch over `__typename` narrows to the fields of each member, and no member is forgotten. */
const narrowing = (imported: string, result: string, others: string) => `
${imported}
import type { GenerateImageResult, MemberName } from ${JSON.stringify(join(ROOT, 'test/clients/support/operations.ts'))};
type Generated = Exclude<${result}, { __typename: ${others} }>;
type Tested = { [Name in MemberName]: keyof Extract<GenerateImageResult, { readonly __typename: Name }> };
type Made = { [Name in MemberName]: keyof Extract<Generated, { readonly __typename: Name }> };
export const toTested = (fields: Made): Tested => fields;
export const toMade = (fields: Tested): Made => fields;
export const named = (name: Generated['__typename']): MemberName => name;
export function shown(result: Generated): string {
  switch (result.__typename) {
    case 'GenerateImageSuccess': return result.image.url;
    case 'GenerationPending': return result.generation.status;
    case 'InvalidInputError': return result.issues.map(({ message }) => message).join();
    case 'QuotaExceededError': return result.resetAt;
    // @ts-expect-error: a failure has no image
    case 'ContentPolicyError': return result.image.url;
    default: return result.message;
  }
}
`;

describe('the types that compilers make of the document with all members', () => {
  let relay: RelayArtifacts;
  beforeAll(async () => {
    relay = await compileRelay();
  });
  afterAll(() => relay.remove());

  it('are told apart by __typename: of graphql-codegen, and of Relay', async () => {
    const { folder } = relay;
    await writeFile(join(folder, 'types.ts'), await typesByCodegen());
    await writeFile(
      join(folder, 'codegen.ts'),
      narrowing(
        `import type { GenerateImageMutationMutation } from './types.ts';`,
        `GenerateImageMutationMutation['generateImage']`,
        'never',
      ),
    );
    await writeFile(
      join(folder, 'relay.ts'),
      narrowing(
        `import type { GenerateImageMutation$data } from './src/__generated__/GenerateImageMutation.graphql.ts';`,
        `GenerateImageMutation$data['generateImage']`,
        `'%other'`,
      ),
    );
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: join(ROOT, 'tsconfig.json'),
        compilerOptions: {
          rewriteRelativeImportExtensions: false,
          typeRoots: [join(ROOT, 'node_modules/@types')],
        },
        include: ['codegen.ts', 'relay.ts'],
      }),
    );
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const check = promisify(execFile)(process.execPath, [tsc, '--noEmit', '-p', folder]);
    // What tsc complains of is on its standard output.
    await check.catch((error: { stdout: string }) => expect.fail(error.stdout));
  });
});
