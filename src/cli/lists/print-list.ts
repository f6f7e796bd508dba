import { type FailureContext, gatewayFailure } from '../gateway-failure.ts';
import { printJsonLine } from '../terminal/json.ts';
import { styleOf } from '../terminal/style.ts';
import { type Column, table } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** How a list is shown. */
export interface Presentation<Row> {
  readonly limit: number;
  readonly json: boolean;
  readonly toJson: (row: Row) => unknown;
  /** @param forPeople at a terminal, where moments are told by how long ago they were. */
  readonly columns: (forPeople: boolean) => readonly Column<Row>[];
  /** Where there is nothing to show. */
  readonly empty: string;
}

/** How many to ask the gateway for at once, so that a short list is one request, and none too large. */
export const pageSizeFor = (limit: number): number => Math.min(100, limit);

/** Prints the first rows, one JSON document a line as they come, or a table of all. @throws {CommandFailure} */
export async function printList<Row>(
  rows: AsyncIterable<Row>,
  { limit, json, toJson, columns, empty }: Presentation<Row>,
  { stdout, stderr }: Terminal,
  context: FailureContext,
): Promise<void> {
  const shown: Row[] = [];
  try {
    let count = 0;
    for await (const row of rows) {
      if (json) printJsonLine(stdout, toJson(row));
      else shown.push(row);
      count += 1;
      if (count === limit) break;
    }
  } catch (error) {
    throw gatewayFailure(error, context);
  }
  if (json) return;
  if (shown.length === 0) {
    stderr.write(`${empty}\n`);
    return;
  }
  const forPeople = stdout.isTTY === true;
  const lines = table(shown, columns(forPeople), {
    columns: forPeople ? (stdout.columns ?? 80) : undefined,
    style: styleOf(stdout),
  });
  stdout.write(`${lines.join('\n')}\n`);
}
