import { configs, parser, rules } from '@graphql-eslint/eslint-plugin';
import { ESLint, type Linter } from 'eslint';
import { getNamedType, isInterfaceType, isObjectType } from 'graphql';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/readme-pages.ts';
import { schema } from './support/schema-text.ts';

const RECOMMENDED: Linter.RulesRecord = {
  ...configs['flat/schema-recommended'].rules,
  ...configs['flat/schema-relay'].rules,
};

/** What a rule can't hold for, in the rule's own words for exceptions. */
const EXCEPTIONS = {
  '@graphql-eslint/strict-id-in-types': {
    exceptions: {
      // Pages and places in them, as Relay's specification has them, and answers, which are of one request each.
      suffixes: ['Connection', 'Edge', 'Success', 'Error'],
      types: [
        'PageInfo',
        'GenerationPending',
        // Parts of the one thing that they are read in; nobody fetches them again by themselves.
        ...['Attempt', 'GenerationFailure', 'ImageRendition', 'InputIssue', 'Quota'],
        // There is one for each caller.
        'Viewer',
        // Told apart by `name`, as `GenerateImageInput.provider` takes it.
        'Provider',
      ],
    },
  },
  // It would have every list be one of edges: of scopes and other words, of inputs too, and of the few parts of one
  // thing. It calls that optional itself. That lists of nodes are connections is asked below.
  '@graphql-eslint/relay-edge-types': { listTypeCanWrapOnlyEdgeType: false },
} as const;

/** What the rules complain of in the printed schema. */
async function complaints(exceptions: Linter.RulesRecord): Promise<Linter.LintMessage[]> {
  const eslint = new ESLint({
    cwd: ROOT,
    overrideConfigFile: true,
    overrideConfig: {
      files: ['**/*.graphql'],
      languageOptions: { parser, parserOptions: { graphQLConfig: { schema: `${ROOT}/schema.graphql` } } },
      // Its types are of an older ESLint.
      plugins: { '@graphql-eslint': { rules } as unknown as ESLint.Plugin },
      rules: { ...RECOMMENDED, ...exceptions },
    },
  });
  const results = await eslint.lintFiles('schema.graphql');
  expect(results).toHaveLength(1);
  return results.flatMap(({ messages }) => messages);
}

describe('the printed schema, as @graphql-eslint sees it', () => {
  it('has no error by its recommended rules and those for Relay, but for the exceptions', async () => {
    const exceptions = Object.entries(EXCEPTIONS).map(([rule, options]) => [rule, ['error', options]]);
    const found = await complaints(Object.fromEntries(exceptions));
    expect(found.map(({ line, ruleId, message }) => `${line} ${ruleId}: ${message}`)).toEqual([]);
  });

  it('needs every exception', async () => {
    const found = await complaints({});
    expect([...new Set(found.map(({ ruleId }) => ruleId))].sort()).toEqual(Object.keys(EXCEPTIONS).sort());
    const withoutId = found.flatMap(({ message }) => /^type "(\w+)" must have/.exec(message)?.[1] ?? []);
    const { suffixes, types } = EXCEPTIONS['@graphql-eslint/strict-id-in-types'].exceptions;
    expect(withoutId).toEqual(expect.arrayContaining([...types]));
    for (const suffix of suffixes) expect(withoutId.some((name) => name.endsWith(suffix))).toBe(true);
  });
});

describe('a list of nodes', () => {
  it('is a connection, but for the one that Relay refetches by', () => {
    const lists = Object.values(schema.getTypeMap())
      .filter((type) => isObjectType(type) || isInterfaceType(type))
      .flatMap((type) =>
        Object.values(type.getFields()).map((field) => ({ name: `${type.name}.${field.name}`, field })),
      )
      .filter(({ field }) => String(field.type).includes('['))
      .filter(({ field }) => {
        const type = getNamedType(field.type);
        return (
          type.name === 'Node' ||
          (isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'Node'))
        );
      });
    expect(lists.map(({ name }) => name)).toEqual(['Query.nodes']);
  });
});
