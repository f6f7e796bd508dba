import { at, backdrop, type Composition, circle, linearGradient, radialGradient } from './canvas.ts';

/** A shaded planet, moons on thin rings, and scattered stars. */
export const orbits: Composition = (canvas) => {
  const { width, height, palette, random } = canvas;
  const [night, deep, middle, warm, light, pale] = palette.tones;
  const center = { x: width * random.between(0.36, 0.64), y: height * random.between(0.4, 0.6) };
  const planetRadius = random.between(170, 235);
  const tilt = random.between(-32, 32);
  const flatness = random.between(0.3, 0.95);
  const ringCount = random.whole(5, 7);

  const shaded = (id: string, lit: string, body: string, shadow: string): string =>
    radialGradient(id, { cx: 0.32, cy: 0.28, r: 0.85 }, [
      { offset: 0, color: lit },
      { offset: 0.42, color: body },
      { offset: 1, color: shadow },
    ]);
  const defs = [
    linearGradient(
      'space',
      [0.1, 0, 0.9, 1],
      [
        { offset: 0, color: night },
        { offset: 0.55, color: deep },
        { offset: 1, color: night },
      ],
    ),
    radialGradient('glow', {}, [
      { offset: 0.12, color: warm, opacity: 0.6 },
      { offset: 0.5, color: middle, opacity: 0.25 },
      { offset: 1, color: deep, opacity: 0 },
    ]),
    shaded('planet', pale, warm, middle),
    shaded('moon0', pale, palette.accent, middle),
    shaded('moon1', pale, light, deep),
    shaded('moon2', light, middle, night),
  ];

  const stars = Array.from({ length: Math.round((width * height) / 9000) }, () =>
    circle(
      random.between(0, width),
      random.between(0, height),
      random.between(0.5, 2.4),
      `fill="${pale}" opacity="${at(random.between(0.2, 0.9))}"`,
    ),
  );
  const rings: string[] = [];
  const moons: string[] = [];
  for (let ring = 0; ring < ringCount; ring += 1) {
    const radius = planetRadius * 1.38 + ring ** 1.25 * random.between(62, 84);
    rings.push(
      `<ellipse rx="${at(radius)}" ry="${at(radius * flatness)}" fill="none" stroke="${light}" ` +
        `stroke-width="${at(random.between(0.8, 2.6))}" opacity="${at(0.75 - ring * 0.07)}"/>`,
    );
    const angle = random.between(0, Math.PI * 2);
    const size = random.between(9, 22) + ring * random.between(2, 8);
    const [x, y] = [Math.cos(angle) * radius, Math.sin(angle) * radius * flatness];
    moons.push(circle(x, y, size, `fill="url(#moon${ring % 3})"`));
  }
  const placed = `transform="translate(${at(center.x)} ${at(center.y)}) rotate(${at(tilt)})"`;
  return {
    defs: defs.join(''),
    shapes: [
      backdrop(canvas, 'url(#space)'),
      circle(center.x, center.y, planetRadius * 3.4, 'fill="url(#glow)"'),
      ...stars,
      `<g ${placed}>${rings.join('')}</g>`,
      circle(center.x, center.y, planetRadius, 'fill="url(#planet)"'),
      `<g ${placed}>${moons.join('')}</g>`,
    ].join(''),
    ink: pale,
  };
};
