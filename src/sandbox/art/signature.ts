import { at, type Canvas } from './canvas.ts';

/**
 * Single-line letters on a grid where the x-height is 10, ascenders reach -6 and descenders 16. Drawn as paths and
 * not as `<text>`, because a small system has no fonts, and other fonts would make other bytes.
 */
const LETTERS: Readonly<Record<string, readonly [width: number, path: string]>> = {
  a: [10, 'M10 5A5 5 0 1 1 10 4.9M10 0V10'],
  b: [10, 'M0 -6V10M0 5A5 5 0 1 1 0 5.1'],
  c: [8, 'M8.5 1.4A5 5 0 1 0 8.5 8.6'],
  d: [10, 'M10 -6V10M10 5A5 5 0 1 1 10 4.9'],
  e: [10, 'M0 5H10A5 5 0 1 0 8.5 8.6'],
  f: [5, 'M6 -6Q2 -6.5 2 -2V10M-1 0H5'],
  g: [10, 'M10 5A5 5 0 1 1 10 4.9M10 0V11A5 5 0 0 1 1 13.6'],
  h: [9, 'M0 -6V10M0 4.5A4.5 4.5 0 0 1 9 4.5V10'],
  i: [1, 'M0.5 0V10M0.5 -4V-3.6'],
  j: [2, 'M2 0V12Q2 15.5 -2 15.2M2 -4V-3.6'],
  k: [8, 'M0 -6V10M7 0L0 6M2.6 4L8 10'],
  l: [1, 'M0.5 -6V10'],
  m: [14, 'M0 0V10M0 3.5A3.5 3.5 0 0 1 7 3.5V10M7 3.5A3.5 3.5 0 0 1 14 3.5V10'],
  n: [9, 'M0 0V10M0 4.5A4.5 4.5 0 0 1 9 4.5V10'],
  o: [10, 'M0 5A5 5 0 1 1 0 5.1'],
  p: [10, 'M0 0V16M0 5A5 5 0 1 1 0 5.1'],
  q: [10, 'M10 0V16M10 5A5 5 0 1 1 10 4.9'],
  r: [5, 'M0 0V10M0 4.5Q0.5 0 5.5 0.2'],
  s: [7, 'M6.8 1.6Q5.6 0 3.5 0Q0.4 0 0.4 2.5Q0.4 4.6 3.5 5Q6.8 5.4 6.8 7.5Q6.8 10 3.5 10Q1.2 10 0 8.2'],
  t: [5, 'M2 -4V7Q2 10 5.4 10M-1 0H5'],
  u: [9, 'M0 0V5.5A4.5 4.5 0 0 0 9 5.5M9 0V10'],
  v: [9, 'M0 0L4.5 10L9 0'],
  w: [13, 'M0 0L3.4 10L6.5 1L9.6 10L13 0'],
  x: [8, 'M0 0L8 10M8 0L0 10'],
  y: [9, 'M0 0L4.6 9.4M9 0L3.4 13Q2.4 15.6 -0.5 15'],
  z: [8, 'M0 0H8L0 10H8'],
};
const LETTER_GAP = 3.2;
const WORD_GAP = 9;
const MAX_WORDS = 6;

/** The maker's mark at the lower left: "gesso sandbox", and the first words of a prompt in Latin letters. */
export function signature({ height }: Canvas, prompt: string, ink: string): string {
  const words = (prompt.toLowerCase().match(/[a-z]+/g) ?? []).slice(0, MAX_WORDS);
  const mark = lettering(['gesso', 'sandbox']);
  const caption = lettering(words.filter((word) => word.length <= 14));
  return (
    `<g transform="translate(36 ${at(height - 44)}) scale(0.92)" fill="none" stroke="${ink}" ` +
    `stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">` +
    `${mark.path}<g transform="translate(${at(mark.width + 22)} 0)" opacity="0.7">${caption.path}</g></g>`
  );
}

function lettering(words: readonly string[]): { path: string; width: number } {
  let x = 0;
  const paths: string[] = [];
  for (const word of words) {
    for (const letter of word) {
      const [width, path] = LETTERS[letter] ?? [0, ''];
      paths.push(`<path transform="translate(${at(x)} 0)" d="${path}"/>`);
      x += width + LETTER_GAP;
    }
    x += WORD_GAP - LETTER_GAP;
  }
  return { path: paths.join(''), width: Math.max(0, x - WORD_GAP) };
}
