import { readFileSync } from 'node:fs';
import { buildSchema, type GraphQLSchema, isAbstractType, isObjectType } from 'graphql';

/** The printed schema, as a client's developer has it. */
export const SCHEMA_TEXT = readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8');

export const schema: GraphQLSchema = buildSchema(SCHEMA_TEXT);

/** Who is in each union and implements each interface, as Apollo's cache wants to know it. */
export function possibleTypesOf(schema: GraphQLSchema): Record<string, string[]> {
  const abstract = Object.values(schema.getTypeMap()).filter(isAbstractType);
  return Object.fromEntries(
    abstract.map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
  );
}

/** Object types that a cache can't tell apart by `id`: each is a part of what it was read in. */
export function namesWithoutId(schema: GraphQLSchema): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  return Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .filter((type) => !roots.includes(type) && !type.name.startsWith('__') && !('id' in type.getFields()))
    .map(({ name }) => name);
}
