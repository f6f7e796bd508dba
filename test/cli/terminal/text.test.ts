import { describe, expect, it } from 'vitest';
import { oneLine, pad, shorten, widthOf, wrap } from '../../../src/cli/terminal/text.ts';

describe('text in a terminal', () => {
  it('is as wide as it is shown: CJK and emoji take two columns', () => {
    expect(['boat', '灯台', '👩‍🚀', 'é'].map(widthOf)).toEqual([4, 4, 2, 1]);
  });

  it('is shortened to its place, and never within a character', () => {
    expect(shorten('A lighthouse', 12)).toBe('A lighthouse');
    expect(shorten('A lighthouse at dawn', 13)).toBe('A lighthouse…');
    expect(shorten('灯台と夜明け', 6)).toBe('灯台…');
    expect(shorten('👩‍🚀👩‍🚀', 3)).toBe('👩‍🚀…');
    expect(shorten('anything', 0)).toBe('');
  });

  it('is filled by its width, on either side', () => {
    expect(pad('灯台', 6)).toBe('灯台  ');
    expect(pad('12', 5, 'right')).toBe('   12');
  });

  it('obeys nothing that others wrote: no escape sequence, no line break, no turned direction', () => {
    const hostile = 'a \u001b[2Jb\nc\r\u009b31md\u202etxet\u2066\u0000';
    expect(oneLine(hostile)).toBe('a  [2Jb c 31mdtxet');
    expect(oneLine('\ud800 half')).toBe('\ufffd half');
  });

  it('is broken at spaces, and a path stays whole', () => {
    expect(wrap('kept in /a/very/long/path/that/is/whole now', 12)).toEqual([
      'kept in',
      '/a/very/long/path/that/is/whole',
      'now',
    ]);
  });
});
