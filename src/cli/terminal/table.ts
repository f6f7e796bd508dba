import type { Style } from './style.ts';
import { oneLine, pad, shorten, widthOf } from './text.ts';

export interface Column<Row> {
  readonly header: string;
  readonly text: (row: Row) => string;
  /** How the cell looks; the text comes filled with spaces. */
  readonly look?: (row: Row, style: Style) => (text: string) => string;
  readonly align?: 'right';
  /** May be shortened to so many columns of the terminal. Left out: never. */
  readonly least?: number;
  /** Left out where the terminal is too narrow, the highest first. */
  readonly expendable?: number;
}

const GAP = '  ';

/**
 * Lines of a table, heading first, no space at their ends. What the cells hold is put on one line and made harmless.
 *
 * @param options.columns of the terminal to fit into; undefined shortens nothing and leaves nothing out.
 */
export function table<Row>(
  rows: readonly Row[],
  all: readonly Column<Row>[],
  { columns, style }: { columns: number | undefined; style: Style },
): string[] {
  const measured = all.map((column) => {
    const cells = rows.map((row) => oneLine(column.text(row)));
    return { column, cells, width: Math.max(...[column.header, ...cells].map(widthOf)) };
  });
  const shown = columns === undefined ? measured : squeeze(measured, columns);
  const line = (cells: readonly string[]) => cells.join(GAP).trimEnd();
  const heading = shown.map(({ column, width }) => pad(shorten(column.header, width), width, side(column)));
  return [
    style.dim(line(heading)),
    ...rows.map((row, index) =>
      line(
        shown.map(({ column, cells, width }, place) => {
          const text = shorten(cells[index] ?? '', width);
          const isLast = place === shown.length - 1 && column.align !== 'right';
          const filled = isLast ? text : pad(text, width, side(column));
          return column.look?.(row, style)(filled) ?? filled;
        }),
      ),
    ),
  ];
}

const side = <Row>({ align }: Column<Row>) => (align === 'right' ? 'right' : 'left');

interface Measured<Row> {
  readonly column: Column<Row>;
  readonly cells: readonly string[];
  readonly width: number;
}

/** Leaves out what is expendable until the rest has its least width, and shares what room is left. */
function squeeze<Row>(all: readonly Measured<Row>[], columns: number): readonly Measured<Row>[] {
  const leastOf = ({ column, width }: Measured<Row>) => Math.min(width, column.least ?? width);
  let shown = all;
  const roomLeft = () =>
    columns - shown.map(leastOf).reduce((sum, width) => sum + width, GAP.length * (shown.length - 1));
  while (roomLeft() < 0) {
    const rank = Math.max(...shown.map(({ column }) => column.expendable ?? 0));
    if (rank === 0) break;
    shown = shown.filter(({ column }) => column.expendable !== rank);
  }
  let room = Math.max(0, roomLeft());
  return shown.map((measured) => {
    const least = leastOf(measured);
    const more = Math.min(room, measured.width - least);
    room -= more;
    return { ...measured, width: least + more };
  });
}
