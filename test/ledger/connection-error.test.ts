import { describe, expect, it } from 'vitest';
import { isConnectionError } from '../../src/ledger/database.ts';

const withCode = (code: string) => Object.assign(new Error('Something went wrong.'), { code });

describe('isConnectionError', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    // As long as a SQLSTATE.
    'EPIPE',
    'ENOTFOUND',
    // The server's own words: connection failure, shutdown, starting up, too many connections.
    '08006',
    '57P01',
    '57P03',
    '53300',
  ])('is true for %s', (code) => {
    expect(isConnectionError(withCode(code))).toBe(true);
  });

  it.each([
    // Unique violation, deadlock, NUL in JSON, disk full, an error of node-postgres's own.
    '23505',
    '40P01',
    '22P05',
    '53100',
    'ERR_INVALID_ARG_TYPE',
  ])('is false for %s', (code) => {
    expect(isConnectionError(withCode(code))).toBe(false);
  });

  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'Client has encountered a connection error and is not queryable',
  ])('is true for what node-postgres says without a code: %s', (message) => {
    expect(isConnectionError(new Error(message))).toBe(true);
  });
});
