import type { Random } from '../random.ts';
import {
  at,
  backdrop,
  type Canvas,
  type Composition,
  circle,
  linearGradient,
  radialGradient,
} from './canvas.ts';

/** Stems, leaves and round blossoms before a large disc, like a cut-paper print. */
export const blooms: Composition = (canvas) => {
  const { width, height, palette, random } = canvas;
  const [night, deep, middle, warm, light, pale] = palette.tones;
  const disc = { x: width * random.between(0.34, 0.66), y: height * random.between(0.38, 0.5) };
  const discRadius = random.between(270, 350);
  const defs =
    linearGradient(
      'wall',
      [0, 0, 0.3, 1],
      [
        { offset: 0, color: pale },
        { offset: 1, color: light },
      ],
    ) +
    linearGradient(
      'disc',
      [0, 0, 0, 1],
      [
        { offset: 0, color: warm },
        { offset: 1, color: light },
      ],
    ) +
    radialGradient('halo', {}, [
      { offset: 0.5, color: warm, opacity: 0.35 },
      { offset: 1, color: warm, opacity: 0 },
    ]) +
    linearGradient(
      'soil',
      [0, 0, 0, 1],
      [
        { offset: 0, color: deep },
        { offset: 1, color: night },
      ],
    );

  const count = Math.round(width / 118);
  const plants = Array.from({ length: count }, (_, index) => {
    const x = ((index + 0.5) / count) * width + random.between(-28, 28);
    const nearDisc = 1 - Math.min(1, Math.abs(x - disc.x) / (width * 0.5));
    const tall = (0.3 + 0.38 * nearDisc * random.between(0.6, 1)) * height;
    return { x, tall, front: random.chance(0.5) };
  }).sort((a, b) => Number(a.front) - Number(b.front) || b.tall - a.tall);
  return {
    defs,
    shapes: [
      backdrop(canvas, 'url(#wall)'),
      circle(disc.x, disc.y, discRadius * 1.7, 'fill="url(#halo)"'),
      circle(disc.x, disc.y, discRadius, 'fill="url(#disc)"'),
      ...plants.map((one) =>
        plant(canvas, one.x, one.tall * (one.front ? 0.72 : 1), one.front ? deep : middle),
      ),
      `<path d="M0 ${at(height * 0.9)}C${at(width * 0.3)} ${at(height * 0.86)} ${at(width * 0.65)} ${at(height * 0.95)} ` +
        `${at(width)} ${at(height * 0.89)}V${at(height)}H0Z" fill="url(#soil)"/>`,
    ].join(''),
    ink: pale,
  };
};

/** One plant that grows from the ground at `x`, in its own colour, `tall` units high. */
function plant({ height, palette, random }: Canvas, x: number, tall: number, color: string): string {
  const ground = height * 0.93;
  const lean = random.between(-60, 60);
  const [tipX, tipY] = [x + lean, ground - tall];
  const parts = [
    `<path d="M${at(x)} ${at(ground)}Q${at(x)} ${at(ground - tall * 0.5)} ${at(tipX)} ${at(tipY)}" ` +
      `fill="none" stroke="${color}" stroke-width="6" stroke-linecap="round"/>`,
  ];
  const leafPairs = random.whole(3, 6);
  const leafLength = random.between(60, 100);
  for (let pair = 1; pair <= leafPairs; pair += 1) {
    const along = pair / (leafPairs + 1);
    // The stem's own Bézier, so that leaves grow out of it and not beside it.
    const stemX = x + lean * along ** 2;
    const stemY = ground - tall * (along * (1 - along) + along ** 2);
    const length = leafLength * (1.15 - along * 0.55);
    for (const angle of [-52, 232]) {
      parts.push(leaf(stemX, stemY, length, angle + lean * 0.12 * along, color));
    }
  }
  return parts.join('') + blossom(palette, random, tipX, tipY);
}

const leaf = (x: number, y: number, length: number, angle: number, color: string): string =>
  `<path transform="translate(${at(x)} ${at(y)}) rotate(${at(angle)})" fill="${color}" ` +
  `d="M0 0C${at(length * 0.3)} ${at(-length * 0.3)} ${at(length * 0.75)} ${at(-length * 0.22)} ${at(length)} 0` +
  `C${at(length * 0.75)} ${at(length * 0.14)} ${at(length * 0.3)} ${at(length * 0.2)} 0 0Z"/>`;

function blossom(palette: Canvas['palette'], random: Random, x: number, y: number): string {
  const [night, , middle, , light, pale] = palette.tones;
  const color = random.pick([palette.accent, pale, pale, middle]);
  const heart = color === pale ? palette.accent : random.pick([pale, light, night]);
  const radius = random.between(24, 46);
  const petals = random.whole(6, 11);
  if (random.chance(0.3)) {
    return circle(x, y, radius * 0.8, `fill="${color}"`) + circle(x, y, radius * 0.34, `fill="${heart}"`);
  }
  return (
    Array.from(
      { length: petals },
      (_, index) =>
        `<ellipse transform="translate(${at(x)} ${at(y)}) rotate(${at((index * 360) / petals)})" ` +
        `cx="${at(radius * 0.78)}" rx="${at(radius * 0.62)}" ry="${at((radius * 1.9) / petals)}" fill="${color}"/>`,
    ).join('') + circle(x, y, radius * 0.36, `fill="${heart}"`)
  );
}
