import { describe, expect, it } from 'vitest';
import { sourceFiles } from '../support/imports.ts';

const files = sourceFiles().filter(({ path }) => path.startsWith('client/'));
const packages = files.flatMap(({ path, text }) =>
  [...text.matchAll(/^import ['"](.+)['"]|\bfrom ['"](.+)['"];$|\bimport\(['"](.+)['"]\)/gm)]
    .map(([statement, bare, from, called]) => ({ path, statement, name: bare ?? from ?? called ?? '' }))
    .filter(({ name }) => !name.startsWith('./')),
);

describe('src/client', () => {
  it('imports graphql and graphql-request, and nothing else', () => {
    const others = packages.filter(({ name }) => name !== 'graphql' && name !== 'graphql-request');
    // A type of Node that is erased, and asked for in a function that browsers never come to.
    expect(others.map(({ path, statement }) => `${path}: ${statement}`)).toEqual(
      ["save-file.ts: import('node:fs/promises')"].map((line) => `client/${line}`),
    );
    expect(new Set(packages.map(({ name }) => name))).toContain('graphql-request');
  });
});
