import { randomFrom } from '../../src/sandbox/random.ts';
import type { Behaviour, StandingRule } from '../../src/sandbox/sandbox.ts';

/**
 * What goes wrong upstream, by how often. All of it is truthful: what is answered as not accepted was not billed; what
 * breaks off may have been.
 */
const TROUBLES: readonly { readonly share: number; readonly behaviour: Behaviour }[] = [
  { share: 0.05, behaviour: { kind: 'reset', at: 'before-headers' } },
  { share: 0.05, behaviour: { kind: 'reset', at: 'mid-body' } },
  { share: 0.03, behaviour: { kind: 'reset', at: 'before-accept' } },
  { share: 0.03, behaviour: { kind: 'close', at: 'mid-body', framing: 'chunked' } },
  { share: 0.03, behaviour: { kind: 'truncated-json' } },
  { share: 0.05, behaviour: { kind: 'status', status: 429, code: 'slow_down' } },
  { share: 0.03, behaviour: { kind: 'status', status: 503 } },
  { share: 0.02, behaviour: { kind: 'status', status: 500 } },
  { share: 0.02, behaviour: { kind: 'status', status: 502, billed: true } },
  { share: 0.01, behaviour: { kind: 'broken-picture', fault: 'bad-checksum' } },
];

/**
 * An upstream on which three calls in ten go wrong, and all take `latencyMs`. The same seed does the same to the same
 * prompt's first call, second call and so on, in whatever order they come.
 */
export function troubledUpstream({
  seed,
  latencyMs: [least, most],
}: {
  seed: string;
  latencyMs: readonly [number, number];
}): StandingRule {
  const seen = new Map<string, number>();
  return function chooseTrouble({ prompt }) {
    const count = (seen.get(prompt) ?? 0) + 1;
    seen.set(prompt, count);
    const random = randomFrom(`${prompt}\0${count}`, seed);
    const delayMs = random.whole(least, most);
    let dice = random.between(0, 1);
    for (const { share, behaviour } of TROUBLES) {
      if (dice < share) return { ...behaviour, delayMs };
      dice -= share;
    }
    return { kind: 'normal', delayMs };
  };
}
