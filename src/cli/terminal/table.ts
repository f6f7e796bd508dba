import type { Style } from './style.ts';
import { oneLine, pad, shorten, widthOf, wrap } from './text.ts';

export interface Column<Row> {
  readonly header: string;
  readonly text: (row: Row) => string;
  /** What stands in its place where not all fits into the terminal. */
  readonly short?: (row: Row) => string;
  /** How the cell looks; the text comes filled with spaces. */
  readonly look?: (row: Row, style: Style) => (text: string) => string;
  readonly align?: 'right';
  /** May be shortened to so many columns of the terminal. Left out: never. */
  readonly least?: number;
  /** Left out where the terminal is too narrow, the highest first. */
  readonly expendable?: number;
  /** Goes on in further lines rather than be shortened at once. For the last column alone. */
  readonly wraps?: boolean;
}

const GAP = '  ';
/** Of a cell that wraps. */
const MOST_LINES = 3;

/**
 * Lines of a table, heading first, no space at their ends, and last what was left out. What the cells hold is put on
 * one line, or wrapped, and made harmless.
 *
 * @param options.columns of the terminal to fit into; undefined shortens nothing and leaves nothing out.
 */
export function table<Row>(
  rows: readonly Row[],
  all: readonly Column<Row>[],
  { columns, style }: { columns: number | undefined; style: Style },
): string[] {
  const measured = all.map((column) => {
    return measure(column, rows.map(column.text));
  });
  const shown = columns === undefined ? measured : squeeze(shortened(measured, rows, columns), columns);
  const line = (cells: readonly string[]) => cells.join(GAP).trimEnd();
  const heading = shown.map(({ column, width }) => pad(shorten(column.header, width), width, side(column)));
  const indent = ' '.repeat(shown.slice(0, -1).reduce((sum, { width }) => sum + width + GAP.length, 0));
  const body = rows.flatMap((row, index) => {
    let others: readonly string[] = [];
    const cells = shown.map(({ column, cells, width }, place) => {
      const looking = column.look?.(row, style) ?? ((text: string) => text);
      const [text = '', ...further] = linesOf(cells[index] ?? '', width, column.wraps === true);
      others = further.map((each) => indent + looking(each));
      const isLast = place === shown.length - 1 && column.align !== 'right';
      return looking(isLast ? text : pad(text, width, side(column)));
    });
    return [line(cells), ...others];
  });
  const leftOut = all
    .filter((column) => !shown.some((each) => each.column === column))
    .map(({ header }) => header);
  if (columns === undefined || leftOut.length === 0) return [style.dim(line(heading)), ...body];
  const told = wrap(`Wider terminal or --json: ${leftOut.join(', ')}`, columns);
  return [style.dim(line(heading)), ...body, ...told.map(style.dim)];
}

/** A cell in its column. */
function linesOf(text: string, width: number, wraps: boolean): string[] {
  if (!wraps) return [shorten(text, width)];
  const lines = wrap(text, width);
  const rest = lines.slice(MOST_LINES - 1).join(' ');
  return [...lines.slice(0, MOST_LINES - 1), ...(rest === '' ? [] : [rest])].map((each) =>
    shorten(each, width),
  );
}

const side = <Row>({ align }: Column<Row>) => (align === 'right' ? 'right' : 'left');

interface Measured<Row> {
  readonly column: Column<Row>;
  readonly cells: readonly string[];
  readonly width: number;
}

function measure<Row>(column: Column<Row>, texts: readonly string[]): Measured<Row> {
  const cells = texts.map(oneLine);
  return { column, cells, width: Math.max(...[column.header, ...cells].map(widthOf)) };
}

const leastOf = <Row>({ column, width }: Measured<Row>): number => Math.min(width, column.least ?? width);

/** What is left of the terminal where each column has its least width; negative where they don't fit. */
const roomFor = <Row>(shown: readonly Measured<Row>[], columns: number): number =>
  columns - shown.map(leastOf).reduce((sum, width) => sum + width, GAP.length * (shown.length - 1));

/** With the short forms, where the whole ones don't fit. */
const shortened = <Row>(
  all: readonly Measured<Row>[],
  rows: readonly Row[],
  columns: number,
): readonly Measured<Row>[] =>
  roomFor(all, columns) >= 0
    ? all
    : all.map((each) =>
        each.column.short === undefined ? each : measure(each.column, rows.map(each.column.short)),
      );

/** Leaves out what is expendable until the rest has its least width, and shares what room is left. */
function squeeze<Row>(all: readonly Measured<Row>[], columns: number): readonly Measured<Row>[] {
  let shown = all;
  while (roomFor(shown, columns) < 0) {
    const rank = Math.max(...shown.map(({ column }) => column.expendable ?? 0));
    if (rank === 0) break;
    shown = shown.filter(({ column }) => column.expendable !== rank);
  }
  let room = Math.max(0, roomFor(shown, columns));
  return shown.map((measured) => {
    const least = leastOf(measured);
    const more = Math.min(room, measured.width - least);
    room -= more;
    return { ...measured, width: least + more };
  });
}
