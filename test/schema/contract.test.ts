import { readFileSync } from 'node:fs';
import {
  astFromValue,
  buildSchema,
  findBreakingChanges,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isScalarType,
  isUnionType,
  lexicographicSortSchema,
  print,
  printSchema,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/schema/index.ts';

const contract = buildSchema(readFileSync(new URL('contract.graphql', import.meta.url), 'utf8'));

/** Everything that a client can rely on, by its coordinate: types, nullability, defaults, members. */
function signaturesOf(built: GraphQLSchema): Record<string, string> {
  const signatures: Record<string, string> = {};
  const inputSignature = ({ type, defaultValue }: GraphQLArgument | GraphQLInputField): string => {
    const literal = defaultValue === undefined ? undefined : astFromValue(defaultValue, type);
    return literal === undefined || literal === null ? `${type}` : `${type} = ${print(literal)}`;
  };
  for (const type of Object.values(built.getTypeMap())) {
    if (isIntrospectionType(type)) continue;
    signatures[type.name] = type.constructor.name;
    if (isScalarType(type)) signatures[`${type.name} @specifiedBy`] = type.specifiedByURL ?? 'none';
    if (isEnumType(type))
      for (const { name } of type.getValues()) signatures[`${type.name}.${name}`] = 'value';
    if (isUnionType(type))
      for (const { name } of type.getTypes()) signatures[`${type.name} | ${name}`] = 'member';
    if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) {
        signatures[`${type.name}.${field.name}`] = inputSignature(field);
      }
    }
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const { name } of type.getInterfaces()) signatures[`${type.name} & ${name}`] = 'interface';
      for (const field of Object.values(type.getFields())) {
        signatures[`${type.name}.${field.name}`] = `${field.type}`;
        for (const argument of field.args) {
          signatures[`${type.name}.${field.name}(${argument.name}:)`] = inputSignature(argument);
        }
      }
    }
  }
  return signatures;
}

describe('the schema', () => {
  it('has all of the contract, with the same types, nullability, defaults and members', () => {
    const promised = signaturesOf(contract);
    const built = signaturesOf(schema);
    const kept = Object.fromEntries(
      Object.keys(promised).map((coordinate) => [coordinate, built[coordinate] ?? 'missing']),
    );
    expect(kept).toEqual(promised);
    // The comparison had something to compare.
    expect(promised).toMatchObject({
      'GenerateImageInput.size': 'ImageSize! = SQUARE_1024X1024',
      'GenerateImageResult | OutcomeUnknownError': 'member',
      'Image.url(expiresInSeconds:)': 'Int',
      'Query.generations': 'GenerationConnection',
    });
  });

  it('asks no more of clients than the contract does', () => {
    expect(findBreakingChanges(contract, schema)).toEqual([]);
  });

  it('leaves no stub for what comes later', () => {
    for (const later of ['Usage', 'UsageFilterInput']) expect(schema.getType(later)).toBeUndefined();
  });

  it('is committed as it is printed', () => {
    const committed = readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8');
    expect(committed).toBe(`${printSchema(lexicographicSortSchema(schema))}\n`);
  });
});
