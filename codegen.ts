import { readFileSync, writeFileSync } from 'node:fs';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './src/schema/index.ts';

/**
 * Prints the schema to `schema.graphql`, which is committed, so that a review sees what clients will see.
 * With `--check` it only compares, and fails when the committed file is stale.
 */
const file = new URL('./schema.graphql', import.meta.url);
const printed = `${printSchema(lexicographicSortSchema(schema))}\n`;

if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== printed) {
    console.error('schema.graphql is stale: run `npm run codegen`, and commit what changed.');
    process.exit(1);
  }
} else {
  writeFileSync(file, printed);
}
