import { readFileSync, writeFileSync } from 'node:fs';
import { codegen } from '@graphql-codegen/core';
import * as documents from '@graphql-codegen/typed-document-node';
import * as operations from '@graphql-codegen/typescript-operations';
import { lexicographicSortSchema, parse, printSchema } from 'graphql';
import { schema } from './src/schema/index.ts';

/**
 * Prints the schema to `schema.graphql`, and makes the SDK's types and documents of the operations in
 * `src/client/operations.graphql`. Both are committed, so that a review sees what clients will see.
 * With `--check` it only compares, and fails when a committed file is stale.
 */
const fileAt = (path: string) => new URL(path, import.meta.url);
const printed = `${printSchema(lexicographicSortSchema(schema))}\n`;
const outputs: Readonly<Record<string, string>> = {
  './schema.graphql': printed,
  './src/client/operations.generated.ts': await generateOperations(),
};

for (const [path, text] of Object.entries(outputs)) {
  if (!process.argv.includes('--check')) writeFileSync(fileAt(path), text);
  else if (read(path) !== text) {
    console.error(`${path} is stale: run \`npm run codegen\`, and commit what changed.`);
    process.exitCode = 1;
  }
}

/** What is committed; undefined where nothing is. */
function read(path: string): string | undefined {
  try {
    return readFileSync(fileAt(path), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Types that are erased, and documents as data: nothing that a browser would have to parse first. */
async function generateOperations(): Promise<string> {
  const source = readFileSync(fileAt('./src/client/operations.graphql'), 'utf8');
  const generated = await codegen({
    filename: 'operations.generated.ts',
    schema: parse(printed),
    documents: [{ document: parse(source, { noLocation: true }) }],
    plugins: [{ operations: {} }, { documents: {} }],
    pluginMap: { operations, documents },
    config: {
      documentMode: 'documentNodeImportFragments',
      documentNodeImport: './typed-document.ts#TypedDocumentNode',
      enumType: 'string-literal',
      immutableTypes: true,
      inlineFragmentTypes: 'combine',
      skipTypename: true,
      strictScalars: true,
      scalars: { ID: 'string', DateTime: 'string', URL: 'string', Base64String: 'string' },
      useTypeImports: true,
    },
  });
  return `// Made by codegen.ts of operations.graphql. Don't edit.\n${compact(generated)}\n`;
}

/** One line for each thing: it is made to be looked up, not to be read through. */
function compact(text: string): string {
  return text
    .replace(
      /\{((?:\n {2}[^{}\n]+;)+)\n\}>/g,
      (_all, fields: string) => `{${fields.replaceAll('\n ', '')} }>`,
    )
    .replace(/\*\/\n\s*(\|)/g, '*/ $1')
    .replace(/(?:\n\s+\| \w+_Fragment)+/g, (members) => members.replace(/\s+/g, ' '))
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}
