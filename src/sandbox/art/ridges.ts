import {
  at,
  backdrop,
  type Canvas,
  type Composition,
  circle,
  curveThrough,
  linearGradient,
  radialGradient,
} from './canvas.ts';

/** A low sun over mountain ridges that pale into the distance. */
export const ridges: Composition = (canvas) => {
  const { width, height, palette, random } = canvas;
  const [night, deep, middle, warm, light, pale] = palette.tones;
  const horizon = height * random.between(0.42, 0.55);
  const sun = { x: width * random.between(0.22, 0.78), y: horizon - random.between(10, 190) };
  const sunRadius = random.between(75, 140);
  const ramp = [light, warm, middle, deep, night, night];
  const count = random.whole(5, 6);

  const defs = [
    linearGradient(
      'sky',
      [0, 0, 0, 1],
      [
        { offset: 0, color: middle },
        { offset: 0.28, color: warm },
        { offset: 0.5, color: light },
        { offset: 0.7, color: pale },
      ],
    ),
    radialGradient('halo', {}, [
      { offset: 0.1, color: pale, opacity: 0.9 },
      { offset: 1, color: pale, opacity: 0 },
    ]),
  ];
  const shapes = [
    backdrop(canvas, 'url(#sky)'),
    circle(sun.x, sun.y, sunRadius * 4.2, 'fill="url(#halo)"'),
    circle(sun.x, sun.y, sunRadius, `fill="${random.chance(0.3) ? palette.accent : pale}"`),
    ...Array.from({ length: random.chance(0.6) ? random.whole(3, 8) : 0 }, () =>
      bird(sun.x + random.between(-330, 330), sun.y - random.between(-40, 220), random.between(7, 17), deep),
    ),
  ];
  for (let layer = 0; layer < count; layer += 1) {
    const depth = layer / (count - 1);
    const base = horizon + (height - horizon) * (depth ** 1.15 * 0.78 + 0.02);
    const color = ramp[Math.round(depth * (ramp.length - 1))] ?? night;
    const mist = ramp[Math.max(0, Math.round(depth * (ramp.length - 1)) - 1)] ?? light;
    defs.push(
      linearGradient(
        `ridge${layer}`,
        [0, 0, 0, 1],
        [
          { offset: 0, color },
          { offset: 0.75, color: layer === count - 1 ? color : mist },
        ],
      ),
    );
    const line = ridgeLine(canvas, base, 60 + 120 * (1 - Math.abs(depth - 0.4)), 3 + depth * 4);
    shapes.push(
      `<path d="M${at(line[0]?.[0] ?? 0)} ${at(line[0]?.[1] ?? base)}${curveThrough(line)}` +
        `V${at(height)}H${at(-20)}Z" fill="url(#ridge${layer})"/>`,
    );
  }
  return { defs: defs.join(''), shapes: shapes.join(''), ink: pale };
};

const bird = (x: number, y: number, span: number, color: string): string =>
  `<path d="M${at(x - span)} ${at(y - span * 0.35)}Q${at(x - span * 0.4)} ${at(y - span * 0.6)} ${at(x)} ${at(y)}` +
  `Q${at(x + span * 0.4)} ${at(y - span * 0.6)} ${at(x + span)} ${at(y - span * 0.35)}" ` +
  `fill="none" stroke="${color}" stroke-width="2.6" stroke-linecap="round" opacity="0.8"/>`;

/** A sum of three waves with a little roughness: one skyline from edge to edge. */
function ridgeLine(
  { width, random }: Canvas,
  base: number,
  amplitude: number,
  roughness: number,
): readonly (readonly [number, number])[] {
  const phases = [random.between(0, 6.3), random.between(0, 6.3), random.between(0, 6.3)] as const;
  const stretch = random.between(0.7, 1.5);
  const step = 26;
  return Array.from({ length: Math.ceil(width / step) + 3 }, (_, index) => {
    const x = (index - 1) * step;
    const y =
      Math.sin(x / (310 * stretch) + phases[0]) * 0.55 +
      Math.sin(x / (127 * stretch) + phases[1]) * 0.27 +
      Math.sin(x / 49 + phases[2]) * 0.09;
    return [x, base - y * amplitude + random.between(-roughness, roughness)] as const;
  });
}
