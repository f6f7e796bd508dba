import { describe, expect, it } from 'vitest';
import { createEventParser } from '../../src/client/event-stream.ts';

const NEXT = { event: 'next', data: '{"data":{}}' };
const COMPLETE = { event: 'complete', data: '' };

describe('an event stream', () => {
  it.each([
    ['line feeds', '\n'],
    ['carriage returns and line feeds', '\r\n'],
    ['carriage returns', '\r'],
  ])('is read with %s, wherever it is cut', (_name, end) => {
    const lines = [
      ': a sign of life',
      '',
      'event: next',
      'data: {"data":{}}',
      '',
      'event: complete',
      'data:',
      '',
      '',
    ];
    const text = `${lines.join(end)}${end}`;
    for (let cut = 0; cut <= text.length; cut++) {
      const parse = createEventParser();
      const events = [
        ...parse(text.slice(0, cut)),
        ...parse(text.slice(cut)),
        ...parse(end === '\r' ? ':' : ''),
      ];
      expect(events).toEqual([NEXT, COMPLETE]);
    }
  });

  it('joins the lines of data, and takes the first space off', () => {
    expect(createEventParser()('data: one\ndata:  two\n\n')).toEqual([
      { event: 'message', data: 'one\n two' },
    ]);
  });

  it('tells nothing of an event that is not complete', () => {
    expect(createEventParser()('event: next\ndata: {"data":{}}\n')).toEqual([]);
  });

  it('passes over what it does not know', () => {
    expect(createEventParser()('id: 7\nretry: 10\nevent: next\ndata: {"data":{}}\n\n')).toEqual([NEXT]);
  });
});
