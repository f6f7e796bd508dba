import type { Random } from '../random.ts';
import type { Palette } from './palettes.ts';

/** What a composition paints on. Its short side is always 1000 units, whatever the pixels. */
export interface Canvas {
  /** In units, at least 1000. */
  readonly width: number;
  /** In units, at least 1000. */
  readonly height: number;
  readonly palette: Palette;
  readonly random: Random;
}

/** A finished composition, as SVG elements. */
export interface Painting {
  /** Gradients that the shapes refer to. */
  readonly defs: string;
  /** From back to front. */
  readonly shapes: string;
  /** The colour that can be read at the lower left, where the picture is signed. */
  readonly ink: string;
}

export type Composition = (canvas: Canvas) => Painting;

/** A coordinate with as many digits as an eye can tell apart. */
export const at = (value: number): string => (Math.round(value * 10) / 10).toString();

export interface Stop {
  /** 0 to 1 along the gradient. */
  readonly offset: number;
  readonly color: string;
  /** @default 1 */
  readonly opacity?: number;
}

const stops = (list: readonly Stop[]): string =>
  list
    .map(
      ({ offset, color, opacity = 1 }) =>
        `<stop offset="${at(offset * 100)}%" stop-color="${color}" stop-opacity="${opacity}"/>`,
    )
    .join('');

/** A gradient along the line from (x1, y1) to (x2, y2), each 0 to 1 of the painted shape's own box. */
export const linearGradient = (
  id: string,
  [x1, y1, x2, y2]: readonly [number, number, number, number],
  list: readonly Stop[],
): string =>
  `<linearGradient id="${id}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}">${stops(list)}</linearGradient>`;

/** A gradient from a point (0 to 1 of the shape's own box) outwards. */
export const radialGradient = (
  id: string,
  { cx = 0.5, cy = 0.5, r = 0.5 }: { cx?: number; cy?: number; r?: number },
  list: readonly Stop[],
): string => `<radialGradient id="${id}" cx="${cx}" cy="${cy}" r="${r}">${stops(list)}</radialGradient>`;

/** The whole canvas in one fill. */
export const backdrop = ({ width, height }: Canvas, fill: string): string =>
  `<rect width="${at(width)}" height="${at(height)}" fill="${fill}"/>`;

export const circle = (cx: number, cy: number, r: number, attributes: string): string =>
  `<circle cx="${at(cx)}" cy="${at(cy)}" r="${at(r)}" ${attributes}/>`;

/** A smooth curve through points, as path commands after the first `M` (Catmull-Rom as Béziers). */
export function curveThrough(points: readonly (readonly [number, number])[]): string {
  return points
    .slice(1)
    .map((end, index) => {
      const start = points[index] ?? end;
      const before = points[index - 1] ?? start;
      const after = points[index + 2] ?? end;
      const c1 = [start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6] as const;
      const c2 = [end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6] as const;
      return `C${at(c1[0])} ${at(c1[1])} ${at(c2[0])} ${at(c2[1])} ${at(end[0])} ${at(end[1])}`;
    })
    .join('');
}
