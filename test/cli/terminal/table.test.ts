import { describe, expect, it } from 'vitest';
import { styleOf } from '../../../src/cli/terminal/style.ts';
import { type Column, table } from '../../../src/cli/terminal/table.ts';
import { widthOf } from '../../../src/cli/terminal/text.ts';
import { plainLines, plainStyle, testTerminal } from '../support/test-terminal.ts';

interface Row {
  readonly id: string;
  readonly count: number;
  readonly prompt: string;
  readonly client: string;
}

const ROWS: readonly Row[] = [
  { id: 'a1', count: 7, prompt: 'A lighthouse on a cliff at dawn, gouache, soft light', client: 'shop' },
  { id: 'b2', count: 1200, prompt: '夜明けの崖の上の灯台 🗼 やわらかい光', client: 'portal' },
];
const COLUMNS: readonly Column<Row>[] = [
  { header: 'ID', text: ({ id }) => id },
  { header: 'COUNT', text: ({ count }) => String(count), align: 'right' },
  { header: 'CLIENT', text: ({ client }) => client, expendable: 1 },
  { header: 'PROMPT', text: ({ prompt }) => prompt, least: 12 },
];
const style = plainStyle;
const at = (columns: number | undefined) => table(ROWS, COLUMNS, { columns, style });

describe('a table', () => {
  it('has a heading and a line for each row, numbers to the right', () => {
    expect(at(undefined)).toEqual([
      'ID  COUNT  CLIENT  PROMPT',
      'a1      7  shop    A lighthouse on a cliff at dawn, gouache, soft light',
      'b2   1200  portal  夜明けの崖の上の灯台 🗼 やわらかい光',
    ]);
  });

  it('fits into the terminal by what may be shortened', () => {
    expect(at(40)).toEqual([
      'ID  COUNT  CLIENT  PROMPT',
      'a1      7  shop    A lighthouse on a cl…',
      'b2   1200  portal  夜明けの崖の上の灯台…',
    ]);
  });

  it('leaves out what is expendable where that is not enough', () => {
    expect(at(26)).toEqual([
      'ID  COUNT  PROMPT',
      'a1      7  A lighthouse o…',
      'b2   1200  夜明けの崖の上…',
      'Wider terminal or --json:',
      'CLIENT',
    ]);
  });

  it('has the short form of a cell before it leaves anything out', () => {
    const withIds: Column<Row>[] = [
      { header: 'ID', text: ({ id }) => `${id}-${'0'.repeat(30)}`, short: ({ id }) => id },
      ...COLUMNS.slice(1),
    ];
    expect(table(ROWS, withIds, { columns: 40, style })).toEqual(at(40));
    expect(table(ROWS, withIds, { columns: 100, style })[1]).toMatch(/^a1-0{30} /);
  });

  it('wraps its last column, and cuts what is left after three lines', () => {
    const long = { text: 'All that is known of it, told in a sentence that goes on and on and on' };
    const columns = [
      { header: 'AT', text: () => 'now' },
      { header: 'TEXT', text: (row: typeof long) => row.text, least: 12, wraps: true },
    ];
    expect(table([long], columns, { columns: 24, style })).toEqual([
      'AT   TEXT',
      'now  All that is known',
      '     of it, told in a',
      '     sentence that goes…',
    ]);
  });

  it('is never wider than the terminal, as long as its least fits', () => {
    for (let columns = 23; columns < 90; columns++) {
      expect(Math.max(...at(columns).map(widthOf)), `at ${columns}`).toBeLessThanOrEqual(columns);
    }
  });

  it('is in colour without a change to its places', () => {
    const terminal = testTerminal({ columns: 40 });
    const coloured = table(
      ROWS,
      COLUMNS.map((column) => ({ ...column, look: (_row: Row, { cyan }: typeof style) => cyan })),
      { columns: 40, style: styleOf(terminal.stdout) },
    );
    expect(coloured[1]).toContain('\u001b[');
    expect(plainLines(coloured.join('\n'))).toEqual(at(40));
  });

  it('keeps each row on its line, whatever a cell holds', () => {
    const [, line] = table([{ text: 'one\ntwo\u001b[31m' }], [{ header: 'TEXT', text: ({ text }) => text }], {
      columns: undefined,
      style,
    });
    expect(line).toBe('one two [31m');
  });
});
