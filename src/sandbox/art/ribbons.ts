import { at, backdrop, type Canvas, type Composition, curveThrough, linearGradient } from './canvas.ts';

type Line = readonly (readonly [number, number])[];

/** Silken bands that flow across the canvas, each lit along its upper edge. */
export const ribbons: Composition = (canvas) => {
  const { height, palette, random } = canvas;
  const [night, deep, middle, warm, light, pale] = palette.tones;
  const darkGround = random.chance(0.5);
  const ramp = darkGround
    ? [pale, light, warm, palette.accent, middle, deep, night]
    : [night, deep, middle, palette.accent, warm, light, pale];
  const count = random.whole(7, 9);
  const slope = random.between(-0.35, 0.35);
  const phase = random.between(0, 6.3);

  const defs = [
    linearGradient(
      'ground',
      [0, 0, 1, 1],
      [
        { offset: 0, color: darkGround ? pale : deep },
        { offset: 1, color: darkGround ? light : night },
      ],
    ),
  ];
  const shapes = [backdrop(canvas, 'url(#ground)')];
  for (let band = 0; band < count; band += 1) {
    const depth = band / (count - 1);
    const line = bandLine(canvas, {
      base: height * (0.14 + depth * 0.78),
      amplitude: random.between(70, 150),
      slope,
      phase: phase + depth * random.between(1.6, 2.6),
    });
    const place = depth * (ramp.length - 1);
    const color = ramp[Math.round(place)] ?? middle;
    const next = ramp[Math.min(ramp.length - 1, Math.round(place) + 1)] ?? color;
    const last = ramp[Math.max(0, Math.round(place) - 1)] ?? color;
    const flipped = random.chance(0.5);
    defs.push(
      linearGradient(`band${band}`, flipped ? [1, 0, 0, 0.5] : [0, 0, 1, 0.5], [
        { offset: 0, color: last },
        { offset: 0.45, color },
        { offset: 1, color: next },
      ]),
    );
    const outline = `M${at(line[0]?.[0] ?? 0)} ${at(line[0]?.[1] ?? 0)}${curveThrough(line)}`;
    const closed = `V${at(height + 40)}H-60Z`;
    // A few widening strokes make the soft shadow that a blur filter would take a second to make at 4K.
    for (const [width, opacity] of [
      [46, 0.05],
      [28, 0.06],
      [12, 0.08],
    ] as const) {
      shapes.push(
        `<path d="${outline}" fill="none" stroke="${night}" stroke-width="${width}" opacity="${opacity}"/>`,
      );
    }
    shapes.push(
      `<path d="${outline}${closed}" fill="url(#band${band})"/>`,
      `<path d="${outline}" fill="none" stroke="${pale}" stroke-width="2" opacity="0.55"/>`,
    );
  }
  return { defs: defs.join(''), shapes: shapes.join(''), ink: darkGround ? pale : deep };
};

function bandLine(
  { width }: Canvas,
  wave: { base: number; amplitude: number; slope: number; phase: number },
): Line {
  const steps = 9;
  return Array.from({ length: steps + 1 }, (_, index) => {
    const x = -60 + ((width + 120) * index) / steps;
    const along = x / width;
    const swing = Math.sin(along * 4.4 + wave.phase) + 0.4 * Math.sin(along * 8.1 + wave.phase * 1.7);
    return [x, wave.base + (along - 0.5) * wave.slope * 700 + swing * wave.amplitude] as const;
  });
}
