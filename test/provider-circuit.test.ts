import { describe, expect, it } from 'vitest';
import { createCircuit } from '../src/provider-circuit.ts';
import { createManualClock } from './support/manual-clock.ts';

const OPEN_MS = 30_000;
const DEADLINE_MS = 600_000;

function circuitOf(failures = 3) {
  const clock = createManualClock();
  const circuit = createCircuit({ failures, openMs: OPEN_MS, now: clock.now });
  const ask = () => circuit.enter(new Date(clock.now().getTime() + DEADLINE_MS));
  const enter = () => {
    const pass = ask();
    if (pass === undefined) throw new Error('Nobody is let through.');
    return pass;
  };
  const fail = (times = 1) => {
    for (let time = 0; time < times; time++) enter().failed();
  };
  return { clock, circuit, ask, enter, fail };
}

describe('a circuit', () => {
  it('is closed at first, and lets everyone through', () => {
    const { circuit, ask } = circuitOf();
    expect(circuit.state).toBe('CLOSED');
    expect([1, 2, 3].every(() => ask() !== undefined)).toBe(true);
    expect(circuit.retryAfterMs).toBe(0);
  });

  it('opens with the last of so many failures in a row', () => {
    const { circuit, ask, fail } = circuitOf();
    fail(2);
    expect(circuit.state).toBe('CLOSED');
    fail();
    expect(circuit.state).toBe('OPEN');
    expect(circuit.isAdmitting).toBe(false);
    expect(ask()).toBeUndefined();
  });

  it('counts anew from every answer, and not what says nothing', () => {
    const { circuit, enter, fail } = circuitOf();
    fail(2);
    enter().answered();
    fail(2);
    expect(circuit.state).toBe('CLOSED');
    enter().leave();
    fail();
    expect(circuit.state).toBe('OPEN');
  });

  it('never opens where no number is set', () => {
    const { circuit, fail } = circuitOf(0);
    fail(100);
    expect(circuit.state).toBe('CLOSED');
  });

  it('tells when it is worth asking again', async () => {
    const { clock, circuit, fail } = circuitOf();
    fail(3);
    await clock.advance(10_000);
    expect(circuit.retryAfterMs).toBe(OPEN_MS - 10_000);
  });
});

describe('a circuit whose time is over', () => {
  async function halfOpen() {
    const made = circuitOf();
    made.fail(3);
    await made.clock.advance(OPEN_MS - 1);
    expect(made.circuit.state).toBe('OPEN');
    await made.clock.advance(1);
    return made;
  }

  it('is half open, and lets one through at a time', async () => {
    const { circuit, ask, enter } = await halfOpen();
    expect(circuit.state).toBe('HALF_OPEN');
    expect(circuit.isAdmitting).toBe(true);
    enter();
    expect(circuit.state).toBe('HALF_OPEN');
    expect(circuit.isAdmitting).toBe(false);
    expect(ask()).toBeUndefined();
    expect(circuit.retryAfterMs).toBe(OPEN_MS);
  });

  it('closes with an answer', async () => {
    const { circuit, enter, fail } = await halfOpen();
    enter().answered();
    expect(circuit.state).toBe('CLOSED');
    fail(2);
    expect(circuit.state).toBe('CLOSED');
  });

  it('opens again with a failure, for as long as before', async () => {
    const { clock, circuit, enter } = await halfOpen();
    await clock.advance(5_000);
    enter().failed();
    expect(circuit.state).toBe('OPEN');
    expect(circuit.retryAfterMs).toBe(OPEN_MS);
  });

  it('lets the next one try where the first left without a word', async () => {
    const { circuit, enter } = await halfOpen();
    enter().leave();
    expect(circuit.state).toBe('HALF_OPEN');
    enter().answered();
    expect(circuit.state).toBe('CLOSED');
  });
});

describe('one that tries, and never comes back', () => {
  /** Half open, with one that tried for so long that the next one may. */
  async function lapsed() {
    const made = circuitOf();
    made.fail(3);
    await made.clock.advance(OPEN_MS);
    const lost = made.enter();
    await made.clock.advance(DEADLINE_MS + OPEN_MS - 1);
    expect(made.ask()).toBeUndefined();
    await made.clock.advance(1);
    return { ...made, lost };
  }

  it('bars the way until its deadline has passed, and for as long again as the circuit is open', async () => {
    const { circuit, ask, enter } = await lapsed();
    expect(circuit.state).toBe('HALF_OPEN');
    expect(circuit.isAdmitting).toBe(true);
    enter();
    expect(ask()).toBeUndefined();
  });

  it('says nothing any more, once another one tries', async () => {
    for (const verdict of ['answered', 'failed', 'leave'] as const) {
      const { circuit, ask, enter, lost } = await lapsed();
      const next = enter();
      lost[verdict]();
      expect(circuit.state, verdict).toBe('HALF_OPEN');
      expect(ask(), verdict).toBeUndefined();
      next.answered();
      expect(circuit.state).toBe('CLOSED');
    }
  });
});

describe('a pass', () => {
  it('speaks once', () => {
    const { circuit, enter, fail } = circuitOf();
    const pass = enter();
    for (let time = 0; time < 5; time++) pass.failed();
    expect(circuit.state).toBe('CLOSED');
    fail(2);
    expect(circuit.state).toBe('OPEN');
  });

  it('of one that tried says nothing of a later trial', async () => {
    const { clock, circuit, enter, fail } = circuitOf();
    fail(3);
    await clock.advance(OPEN_MS);
    const first = enter();
    first.failed();
    await clock.advance(OPEN_MS);
    enter();
    first.leave();
    expect(circuit.isAdmitting).toBe(false);
    first.answered();
    expect(circuit.state).toBe('HALF_OPEN');
  });
});

describe('what was begun before a circuit opened', () => {
  it('says nothing either once it is closed again', async () => {
    const { clock, circuit, enter, fail } = circuitOf();
    const [lucky, unlucky] = [enter(), enter()];
    fail(3);
    await clock.advance(OPEN_MS);
    enter().answered();
    fail(2);
    lucky.answered();
    fail();
    expect(circuit.state).toBe('OPEN');
    await clock.advance(OPEN_MS);
    enter().answered();
    fail(2);
    unlucky.failed();
    expect(circuit.state).toBe('CLOSED');
  });

  it('neither closes it nor keeps it open longer', async () => {
    const { clock, circuit, enter, fail } = circuitOf();
    const [early, late] = [enter(), enter()];
    fail(3);
    await clock.advance(10_000);
    early.answered();
    late.failed();
    expect(circuit.state).toBe('OPEN');
    expect(circuit.retryAfterMs).toBe(OPEN_MS - 10_000);
  });
});

describe('a clock that is set back', () => {
  it('does not keep a circuit open for long', () => {
    let at = new Date('2030-05-01T12:00:00Z');
    const circuit = createCircuit({ failures: 1, openMs: OPEN_MS, now: () => at });
    circuit.enter(new Date(at.getTime() + DEADLINE_MS))?.failed();
    expect(circuit.state).toBe('OPEN');
    at = new Date('2030-05-01T11:00:00Z');
    expect(circuit.state).toBe('HALF_OPEN');
    expect(circuit.isAdmitting).toBe(true);
    circuit.enter(new Date(at.getTime() + DEADLINE_MS));
    at = new Date('2030-05-01T10:00:00Z');
    expect(circuit.isAdmitting).toBe(true);
  });
});
