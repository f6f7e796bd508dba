import { ForbiddenError, type GessoClient, type TypedDocumentNode } from '../../client/index.ts';
import { misuse } from '../exit-codes.ts';
import { nodeIds } from '../ids.ts';

interface KeyPage {
  readonly apiKeys: {
    readonly edges: readonly { readonly node: { readonly client: { id: string; name: string } } }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  } | null;
}

/** The API finds clients by their keys alone. */
const KEYS = `query ClientsOfKeys($after: String) {
  apiKeys(first: 100, after: $after) {
    edges { node { client { id name } } }
    pageInfo { hasNextPage endCursor }
  }
}`;

/**
 * The id of a client by its name: the caller's own, or, with scope `admin`, any that has a key. Ids are taken as well.
 * @throws {CommandFailure} where there is none.
 */
export async function clientId(client: GessoClient, nameOrId: string, program: string): Promise<string> {
  const { client: own } = await client.viewer();
  if (own.name === nameOrId) return own.id;
  try {
    const [{ id } = { id: '' }] = nodeIds(nameOrId, ['Client'], program);
    return id;
  } catch {
    // No id: a name.
  }
  const { parse } = await import('graphql');
  const document = parse(KEYS) as TypedDocumentNode<KeyPage, { after: string | null }>;
  try {
    for (let after: string | null = null; ; ) {
      const { apiKeys }: KeyPage = await client.request(document, { after });
      const found = apiKeys?.edges.find(({ node }) => node.client.name === nameOrId);
      if (found !== undefined) return found.node.client.id;
      if (apiKeys?.pageInfo.hasNextPage !== true) break;
      after = apiKeys.pageInfo.endCursor;
    }
  } catch (error) {
    if (!(error instanceof ForbiddenError)) throw error;
    throw misuse(
      `Only a key with scope admin finds "${nameOrId}" by its name.`,
      'Give its id, as --json shows it: --client <id>.',
    );
  }
  throw misuse(`There is no client "${nameOrId}" with an API key.`, `See ${program} keys list.`);
}
