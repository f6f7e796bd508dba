import { describe, expect, it } from 'vitest';
import { LOCKS } from '../../src/ledger/locks.ts';
import { sourceFiles } from '../support/imports.ts';

describe('the advisory locks', () => {
  it('are each another one', () => {
    const numbers = Object.values(LOCKS);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('are all named in one place', () => {
    const taking = sourceFiles().filter(({ text }) => /pg_(try_)?advisory/.test(text));
    expect(taking.map(({ path }) => path).sort()).toEqual([
      'ledger/audit-index.ts',
      'ledger/audit-sinks.ts',
      'ledger/boss.ts',
      'ledger/limits.ts',
      'ledger/retention.ts',
    ]);
    for (const { path, text } of taking) {
      const numbers = [...text.matchAll(/advisory\w*\(([^)]*)\)/g)].map(([, number]) => number);
      for (const number of numbers) expect(number, path).toMatch(/LOCKS\.|\$1/);
    }
  });
});
