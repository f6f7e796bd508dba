import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSubgraphSchema, type GraphQLResolverMap } from '@apollo/subgraph';
import { parse } from 'graphql';
import { createYoga } from 'graphql-yoga';

const LINK = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key", "@shareable"])`;

/** Adds a field to `Image`, by its id. */
export const LIKES = `${LINK}
  type Image @key(fields: "id") { id: ID! likes: Int! }
  type Query { popular: [Image!]! }`;

/** Has nodes of its own, and a `Query.node` for them, which knows no node of Gesso. */
export const SHOP = `${LINK}
  interface Node { id: ID! }
  type Product implements Node @key(fields: "id") { id: ID! name: String! picture: Image }
  type Image @key(fields: "id", resolvable: false) { id: ID! }
  type PageInfo @shareable {
    hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String
  }
  type ProductEdge { cursor: String! node: Product! }
  type ProductConnection { edges: [ProductEdge!]! pageInfo: PageInfo! }
  type Query {
    node(id: ID!): Node @shareable
    nodes(ids: [ID!]!): [Node]! @shareable
    products(first: Int, after: String): ProductConnection!
  }`;

/** As `SHOP`, but its `Query.node` knows images, and hands them on by reference. */
export const SHOP_THAT_KNOWS_IMAGES = SHOP.replace('type Image @key', 'type Image implements Node @key');

/** A subgraph over real HTTP. */
export async function startSubgraph(typeDefs: string, resolvers: GraphQLResolverMap<unknown>) {
  const schema = buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers }]);
  const server = createServer(createYoga({ schema, logging: false, graphiql: false }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise<unknown>((resolve) => server.close(resolve)),
  };
}
