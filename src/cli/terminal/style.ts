import { styleText } from 'node:util';
import type { Output } from './terminal.ts';

type Look = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan';

/** Words for how a text looks. Each leaves it plain where it is not shown on a terminal in colour. */
export type Style = Readonly<Record<Look, (text: string) => string>>;

/** Whether colours are shown over there. */
export const hasColours = (stream: Output): boolean => styleText('bold', 'x', { stream }) !== 'x';

/** Colour on a terminal alone; `NO_COLOR` and `FORCE_COLOR` are heard, by way of Node. */
export function styleOf(stream: Output): Style {
  const look = (name: Look) => (text: string) => styleText(name, text, { stream });
  return {
    bold: look('bold'),
    dim: look('dim'),
    green: look('green'),
    yellow: look('yellow'),
    red: look('red'),
    cyan: look('cyan'),
  };
}
