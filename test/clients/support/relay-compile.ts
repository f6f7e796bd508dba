import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { ConcreteRequest, ReaderFragment } from 'relay-runtime';
import { GENERATION, OPERATIONS } from './operations.ts';
import { SCHEMA_TEXT } from './schema-text.ts';

/** A list in Relay's way: a fragment of a component, with its connection and the query for its next page. */
const LIST = `
graphql\`query GenerationsListQuery($first: Int!) { ...GenerationsList_query @arguments(first: $first) }\`;
graphql\`fragment GenerationsList_query on Query
  @argumentDefinitions(first: { type: "Int!" }, after: { type: "String" })
  @refetchable(queryName: "GenerationsListPaginationQuery") {
    generations(first: $first, after: $after) @connection(key: "GenerationsList_generations") {
      edges { node { ${GENERATION} } }
      pageInfo { endCursor hasNextPage }
    }
  }\`;
`;

/** What an application of Relay has beside its sources: `relay.config.json`. */
export const RELAY_CONFIGURATION = {
  src: './src',
  schema: './schema.graphql',
  language: 'typescript',
  customScalarTypes: { DateTime: 'string', URL: 'string', Base64String: 'string' },
};

const COMPILER = new URL('../../../node_modules/relay-compiler/cli.js', import.meta.url).pathname;

export interface RelayArtifacts {
  /** Where they are, with `schema.graphql` and the configuration. */
  readonly folder: string;
  request(name: string): ConcreteRequest;
  fragment(name: string): ReaderFragment;
  remove(): Promise<void>;
}

/** Runs Relay's compiler on a folder as an application has it. @throws {Error} with what the compiler complains of. */
export async function compileRelay(): Promise<RelayArtifacts> {
  const folder = await mkdtemp(join(tmpdir(), 'gesso-relay-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await mkdir(join(folder, 'src'));
    await writeFile(join(folder, 'schema.graphql'), SCHEMA_TEXT);
    await writeFile(join(folder, 'relay.config.json'), JSON.stringify(RELAY_CONFIGURATION));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    // The compiler wants a name to begin as its file's does.
    for (const { name, text } of OPERATIONS) {
      await writeFile(join(folder, 'src', `${name}.ts`), `graphql\`${text}\`;\n`);
    }
    await writeFile(join(folder, 'src', 'GenerationsList.ts'), LIST);
    await promisify(execFile)(process.execPath, [COMPILER], { cwd: folder }).catch(
      (error: { stdout: string; stderr: string }) => {
        throw new Error(`Relay's compiler refused:\n${error.stdout}\n${error.stderr}`);
      },
    );
    const load = async (name: string): Promise<unknown> => {
      const path = join(folder, 'src/__generated__', `${name}.graphql.ts`);
      return ((await import(/* @vite-ignore */ pathToFileURL(path).href)) as { default: unknown }).default;
    };
    const names = [
      ...OPERATIONS.map(({ name }) => name),
      ...['GenerationsListQuery', 'GenerationsListPaginationQuery', 'GenerationsList_query'],
    ];
    const artifacts = new Map<string, unknown>();
    for (const name of names) artifacts.set(name, await load(name));
    const find = (name: string): unknown => {
      if (!artifacts.has(name)) throw new Error(`${name} was not compiled.`);
      return artifacts.get(name);
    };
    return {
      folder,
      request: (name) => find(name) as ConcreteRequest,
      fragment: (name) => find(name) as ReaderFragment,
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
