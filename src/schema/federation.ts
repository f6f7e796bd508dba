import { printSubgraphSchema } from '@apollo/subgraph';
import {
  type DefinitionNode,
  type DirectiveNode,
  extendSchema,
  type GraphQLFieldResolver,
  type GraphQLSchema,
  isInterfaceType,
  isUnionType,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
  print,
} from 'graphql';
import { ConfigError, InvalidInputError, UnauthenticatedError } from '../errors.ts';
import { MAX_NODES } from './builder.ts';
import type { Context } from './context.ts';
import { localId, NODE_TYPES } from './ids.ts';

export interface SubgraphOptions {
  /**
   * Whether `Query.node` and `nodes` are published. Two subgraphs that have them compose only where they know some node
   * type in common, since a router asks either.
   * @default true
   */
  readonly nodeQueries?: boolean;
}

/** https://specs.apollo.dev/federation/v2.0: the least that has what is used, so that any router of version 2 takes it. */
const LINK =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@key", "@shareable"])';
/** Of Relay's specifications: other subgraphs have them too, with the same fields. */
const SHARED_TYPES: readonly string[] = ['PageInfo'];
const NODE_QUERIES: readonly string[] = ['node', 'nodes'];

const MACHINERY = `
  "A reference to an entity: its \`__typename\`, and its \`id\`."
  scalar _Any
  "What a router fetches by reference: every node."
  union _Entity = ${NODE_TYPES.join(' | ')}
  "What this subgraph publishes."
  type _Service {
    "Its schema, for composition."
    sdl: String
  }
  extend type Query {
    "For routers: the entities of these references, in this order; null in the place of what the caller may not see."
    _entities(
      "${MAX_NODES} at most."
      representations: [_Any!]!
    ): [_Entity]!
    "For composition: what this subgraph publishes."
    _service: _Service!
  }
`;

/**
 * The schema as a subgraph of Apollo Federation 2, whose entities are the nodes, by their global ids. It is made of the
 * finished schema, and not by the builder: what plug-ins added is in it too, and an entity is fetched by the very
 * resolver of `Query.nodes`, so that none is seen which `node` would not show.
 *
 * @throws {ConfigError} for a schema in which a plug-in has what is added here.
 */
export function asSubgraph(
  schema: GraphQLSchema,
  { nodeQueries = true }: SubgraphOptions = {},
): GraphQLSchema {
  const taken = takenName(schema);
  if (taken !== undefined) {
    throw new ConfigError(
      `A plug-in adds "${taken}" to the schema, which GESSO_FEDERATION adds itself: leave one of them out.`,
    );
  }
  const sdl = publishedSdl(schema, nodeQueries);
  const subgraph = extendSchema(schema, parse(MACHINERY));
  const fields = subgraph.getQueryType()?.getFields();
  const [node, entity] = [subgraph.getType('Node'), subgraph.getType('_Entity')];
  const findNodes = fields?.nodes?.resolve;
  if (
    !fields?._entities ||
    !fields._service ||
    !findNodes ||
    !isInterfaceType(node) ||
    !isUnionType(entity)
  ) {
    throw new TypeError('The schema has no nodes to make entities of.');
  }
  fields._service.resolve = (_root, _args, context: Context) => {
    requireKey(context);
    return { sdl };
  };
  fields._entities.resolve = entitiesBy(findNodes);
  entity.resolveType = node.resolveType;
  return subgraph;
}

/** What the schema has already of the machinery. */
function takenName(schema: GraphQLSchema): string | undefined {
  const fields = schema.getQueryType()?.getFields() ?? {};
  return (
    ['_Any', '_Entity', '_Service'].find((name) => schema.getType(name) !== undefined) ??
    ['_entities', '_service'].filter((name) => name in fields).map((name) => `Query.${name}`)[0]
  );
}

/** What introspection is for a stranger in production, the published schema is always: it needs a key. */
function requireKey({ principal }: Context): void {
  if (principal === undefined) {
    throw new UnauthenticatedError('This needs an API key: `Authorization: Bearer <key>`.');
  }
}

type Resolver = GraphQLFieldResolver<unknown, Context>;
type Reference = Readonly<Record<string, unknown>> | null;

const entitiesBy = (findNodes: Resolver): Resolver =>
  async function findEntities(root, { representations }, context, info) {
    requireKey(context);
    const references = representations as readonly Reference[];
    if (references.length > MAX_NODES) throw invalid(`takes ${MAX_NODES} at most.`);
    const ids = references.map(idOf);
    const asked = { ids: ids.map((id) => (id instanceof Error ? '' : id)) };
    const found = (await findNodes(root, asked, context, info)) as readonly unknown[];
    // What is wrong with one reference concerns its place only.
    return ids.map((id, index) => (id instanceof Error ? id : found[index]));
  };

/** The global id in a reference; no id at all where it is of another type. */
function idOf(reference: Reference): string | InvalidInputError {
  const { __typename: typename, id } = reference ?? {};
  if (typeof typename !== 'string' || !(NODE_TYPES as readonly string[]).includes(typename)) {
    return invalid(`names an entity of a type that is none; there are ${NODE_TYPES.join(', ')}.`);
  }
  if (typeof id !== 'string') return invalid('lacks an `id`.');
  return localId(typename, id) === undefined ? '' : id;
}

const invalid = (message: string) => new InvalidInputError([{ path: ['representations'], message }]);

/** The schema as it is printed, with the directives that composition reads. */
function publishedSdl(schema: GraphQLSchema, nodeQueries: boolean): string {
  const printed = parse(printSubgraphSchema(schema), { noLocation: true });
  const queryName = schema.getQueryType()?.name;
  const marked = printed.definitions.map((definition): DefinitionNode => {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION) return definition;
    const { name } = definition;
    if ((NODE_TYPES as readonly string[]).includes(name.value)) return marking(definition, KEY);
    if (SHARED_TYPES.includes(name.value)) return marking(definition, SHAREABLE);
    return name.value === queryName ? withNodeQueries(definition, nodeQueries) : definition;
  });
  return [LINK, print({ kind: Kind.DOCUMENT, definitions: marked })].join('\n\n');
}

function withNodeQueries(query: ObjectTypeDefinitionNode, published: boolean): ObjectTypeDefinitionNode {
  const fields = (query.fields ?? []).flatMap((field) => {
    if (!NODE_QUERIES.includes(field.name.value)) return [field];
    return published ? [marking(field, SHAREABLE)] : [];
  });
  return { ...query, fields };
}

const marking = <Marked extends { readonly directives?: readonly DirectiveNode[] | undefined }>(
  definition: Marked,
  directive: DirectiveNode,
): Marked => ({ ...definition, directives: [...(definition.directives ?? []), directive] });

/** As it stands behind a type's name. */
function directiveOf(text: string): DirectiveNode {
  const [definition] = parse(`type Marked ${text}`, { noLocation: true }).definitions;
  const directive = definition?.kind === Kind.OBJECT_TYPE_DEFINITION ? definition.directives?.[0] : undefined;
  if (directive === undefined) throw new TypeError(`${text} is no directive.`);
  return directive;
}
const KEY = directiveOf('@key(fields: "id")');
const SHAREABLE = directiveOf('@shareable');
