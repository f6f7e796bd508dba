import { isInputObjectType, isInterfaceType, isIntrospectionType, isObjectType } from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/schema/index.ts';

const types = Object.values(schema.getTypeMap()).filter((type) => !isIntrospectionType(type));

describe('every part of the schema says what it is', () => {
  it.each(types.map((type) => [type.name, type] as const))('%s', (name, type) => {
    const silent: string[] = type.description ? [] : [name];
    if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) {
        if (!field.description) silent.push(`${name}.${field.name}`);
      }
    }
    expect(silent).toEqual([]);
  });
});

describe('the arguments of lists and look-ups', () => {
  const fields = Object.values(schema.getQueryType()?.getFields() ?? {});
  it.each(fields.map((field) => [field.name, field] as const))(
    'say what they take: %s',
    (_name, { args }) => {
      expect(args.filter(({ description }) => !description).map(({ name }) => name)).toEqual([]);
    },
  );
});
