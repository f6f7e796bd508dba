import type { Random } from '../random.ts';
import { at, backdrop, type Composition, linearGradient } from './canvas.ts';

/** A poster of quarter circles, leaves and discs on a grid, after the Bauhaus. */
export const tiles: Composition = (canvas) => {
  const { width, height, palette, random } = canvas;
  const [night, deep, middle, warm, light, pale] = palette.tones;
  const margin = 70;
  const side = (1000 - 2 * margin) / random.whole(4, 6);
  const columns = Math.floor((width - 2 * margin) / side + 0.001);
  const rows = Math.floor((height - 2 * margin) / side + 0.001);
  const left = (width - columns * side) / 2;
  const top = (height - rows * side) / 2;
  const pairs: readonly [Pair, ...Pair[]] = [
    { ground: deep, figure: light },
    { ground: light, figure: deep },
    { ground: middle, figure: pale },
    { ground: warm, figure: night },
    { ground: pale, figure: palette.accent },
    { ground: night, figure: warm },
    { ground: palette.accent, figure: pale },
  ];

  const shapes = [backdrop(canvas, 'url(#paper)')];
  let previous: Pair | undefined;
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      let pair = random.pick(pairs);
      if (pair === previous) pair = random.pick(pairs);
      previous = pair;
      const turn = random.whole(0, 3) * 90;
      const place = `translate(${at(left + column * side)} ${at(top + row * side)}) scale(${side / 100})`;
      shapes.push(
        `<g transform="${place}"><rect width="100.4" height="100.4" fill="${pair.ground}"/>` +
          `<g transform="rotate(${turn} 50 50)">${figure(pair, random)}</g></g>`,
      );
    }
  }
  // One light falls across the whole sheet, so that it reads as paper and not as a chart.
  shapes.push(backdrop(canvas, 'url(#light)'));
  const defs =
    linearGradient(
      'paper',
      [0, 0, 1, 1],
      [
        { offset: 0, color: pale },
        { offset: 1, color: light },
      ],
    ) +
    linearGradient(
      'light',
      [0, 0, 1, 1],
      [
        { offset: 0, color: '#fff', opacity: 0.16 },
        { offset: 0.5, color: '#fff', opacity: 0 },
        { offset: 1, color: night, opacity: 0.22 },
      ],
    );
  return { defs, shapes: shapes.join(''), ink: deep };
};

interface Pair {
  readonly ground: string;
  readonly figure: string;
}

/** One figure in a box of 100 by 100. */
function figure({ ground, figure: color }: Pair, random: Random): string {
  return random.pick([
    () => `<path d="M0 0H100A100 100 0 0 1 0 100Z" fill="${color}"/>`,
    () =>
      `<path d="M0 0H100A100 100 0 0 1 0 100Z" fill="${color}"/>` +
      `<path d="M0 0H58A58 58 0 0 1 0 58Z" fill="${ground}"/>`,
    () => `<path d="M0 0A100 100 0 0 0 100 100A100 100 0 0 0 0 0Z" fill="${color}"/>`,
    () => `<circle cx="50" cy="50" r="34" fill="${color}"/><circle cx="50" cy="50" r="13" fill="${ground}"/>`,
    () =>
      `<path d="M0 0A50 50 0 0 0 100 0Z" fill="${color}"/><path d="M0 50A50 50 0 0 0 100 50Z" fill="${color}"/>`,
    () => `<path d="M0 100A50 50 0 0 1 50 50A50 50 0 0 1 100 0V100Z" fill="${color}"/>`,
    () =>
      [84, 60, 36]
        .map(
          (size, index) =>
            `<path d="M0 100V${100 - size}A${size} ${size} 0 0 1 ${size} 100Z" fill="${index % 2 === 0 ? color : ground}"/>`,
        )
        .join(''),
  ])();
}
