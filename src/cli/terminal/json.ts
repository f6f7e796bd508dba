import type { Output } from './terminal.ts';

/**
 * JSON with null for what is undefined, so that every document has the same fields, and in which nothing is left that a terminal would obey: `JSON.stringify` escapes only the first of the two
 * sets of control characters.
 */
const toText = (value: unknown, indentation?: number): string =>
  JSON.stringify(value, (_name, each) => each ?? null, indentation).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** One JSON document, for people too. */
export const printJson = (stdout: Output, value: unknown): void => {
  stdout.write(`${toText(value, 2)}\n`);
};

/** One line of NDJSON. */
export const printJsonLine = (stdout: Output, value: unknown): void => {
  stdout.write(`${toText(value)}\n`);
};
