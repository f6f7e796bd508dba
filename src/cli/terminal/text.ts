import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter();

/** Columns that the text takes in a terminal: two for CJK and most emoji. */
export const widthOf = (text: string): number => stringWidth(text);

/**
 * What others wrote, on one line, and with nothing in it that a terminal would obey: no escape sequence, no line
 * break, nothing that turns the direction of the text.
 */
export const oneLine = (text: string): string =>
  text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, '')
    .toWellFormed()
    .trim();

/** At most so many columns, with `…` where something is missing. Never half a character. */
export function shorten(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  if (columns < 1) return '';
  let [kept, width] = ['', 0];
  for (const { segment } of graphemes.segment(text)) {
    const wider = width + widthOf(segment);
    if (wider > columns - 1) break;
    [kept, width] = [kept + segment, wider];
  }
  return `${kept.trimEnd()}…`;
}

/** Filled with spaces to so many columns. */
export function pad(text: string, columns: number, side: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, columns - widthOf(text)));
  return side === 'left' ? text + space : space + text;
}

/** Lines of at most so many columns, broken at spaces; a word that is longer, such as a path, stays whole. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && widthOf(longer) > columns) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}
