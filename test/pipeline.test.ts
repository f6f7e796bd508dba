import { describe, expect, it } from 'vitest';
import { ConfigError } from '../src/errors.ts';
import type { Middleware } from '../src/middleware/middleware.ts';
import { ATTEMPT_RING, arrange, compose, REQUEST_RING, type RingPlace } from '../src/pipeline.ts';

type Word = Middleware<string, string>;

/** A middleware that leaves its name on the way in and on the way out. */
const marking = (name: string): Word =>
  ({
    async [name](request: string, next: (request: string) => Promise<string>) {
      return `${await next(`${request}>${name}`)}<${name}`;
    },
  })[name] as Word;

const namesOf = (ring: readonly { readonly name: string }[]) => ring.map(({ name }) => name);

describe('the rings', () => {
  it('have this order, outermost first', () => {
    expect(REQUEST_RING).toEqual(['audit', 'authorize', 'idempotency', 'quota']);
    expect(ATTEMPT_RING).toEqual(['breaker', 'deadline', 'retry', 'record']);
  });
});

describe('compose', () => {
  it('puts the first-listed outermost', async () => {
    const send = compose([marking('a'), marking('b'), marking('c')], async (request) => `[${request}]`);
    expect(await send('in')).toBe('[in>a>b>c]<c<b<a');
  });

  it('is the innermost alone where the ring is empty', async () => {
    expect(await compose<string, string>([], async (request) => `[${request}]`)('in')).toBe('[in]');
  });

  it('lets a middleware answer by itself, and call again', async () => {
    const answering: Word = async function answering() {
      return 'answered';
    };
    const twice: Word = async function twice(request, next) {
      return `${await next(`${request}1`)} ${await next(`${request}2`)}`;
    };
    const innermost = async (request: string) => `[${request}]`;
    expect(await compose([answering, marking('a')], innermost)('in')).toBe('answered');
    expect(await compose([twice, marking('a')], innermost)('in')).toBe('[in1>a]<a [in2>a]<a');
  });

  it('carries what is thrown outwards, through those who may mend it', async () => {
    const mending: Word = async function mending(request, next) {
      try {
        return await next(request);
      } catch (error) {
        return `mended: ${(error as Error).message}`;
      }
    };
    const failing = async (): Promise<string> => {
      throw new Error('broken');
    };
    await expect(compose([marking('a')], failing)('in')).rejects.toThrow('broken');
    expect(await compose([mending, marking('a')], failing)('in')).toBe('mended: broken');
  });
});

describe('arrange', () => {
  const ring = [marking('a'), marking('b'), marking('c')];
  const place = (name: string, beside: Omit<RingPlace<Word>, 'middleware'> = {}): RingPlace<Word> => ({
    middleware: marking(name),
    ...beside,
  });

  it('places beside a neighbour, and innermost where none is named', () => {
    expect(namesOf(arrange(ring, [place('x', { before: 'a' })]))).toEqual(['x', 'a', 'b', 'c']);
    expect(namesOf(arrange(ring, [place('x', { after: 'a' })]))).toEqual(['a', 'x', 'b', 'c']);
    expect(namesOf(arrange(ring, [place('x', { after: 'c' })]))).toEqual(['a', 'b', 'c', 'x']);
    expect(namesOf(arrange(ring, [place('x')]))).toEqual(['a', 'b', 'c', 'x']);
  });

  it('takes them in the order given, so that a later one may name an earlier one', () => {
    const places = [place('x', { before: 'b' }), place('y', { before: 'x' }), place('z', { after: 'x' })];
    expect(namesOf(arrange(ring, places))).toEqual(['a', 'y', 'x', 'z', 'b', 'c']);
  });

  it('leaves the ring that it was given as it is', () => {
    arrange(ring, [place('x')]);
    expect(namesOf(ring)).toEqual(['a', 'b', 'c']);
  });

  it('refuses a neighbour that is not there, and shows the ring', () => {
    const misplaced = () => arrange(ring, [place('x', { before: 'nobody' })]);
    expect(misplaced).toThrow(ConfigError);
    expect(misplaced).toThrow('"nobody"; the ring is a ▸ b ▸ c.');
  });

  it('refuses a name that is taken, and a middleware without one', () => {
    expect(() => arrange(ring, [place('b')])).toThrow(ConfigError);
    expect(() => arrange(ring, [place('x'), place('x')])).toThrow('not "x"');
    const nameless = [(request: string, next: (request: string) => Promise<string>) => next(request)];
    expect(() =>
      arrange(
        ring,
        nameless.map((middleware) => ({ middleware })),
      ),
    ).toThrow('not ""');
  });
});
