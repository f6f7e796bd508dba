import { afterEach, describe, expect, it, vi } from 'vitest';
import type { HttpHooks } from '../../src/http/hooks.ts';
import { AUTHORIZED, hooking, startHookedListener } from '../support/hooked-listener.ts';

const EVENTS = { accept: 'text/event-stream', ...AUTHORIZED };

let close: () => Promise<void> = async () => undefined;
afterEach(() => close());

/** A listener with the plug-ins, and how many of its images are open: to whom they are sent, and to nobody. */
async function start(...hooks: HttpHooks[]) {
  let openImages = 0;
  const listener = await startHookedListener(
    hooks.map((hook, index) => hooking(hook, `plug-in ${index}`)),
    {
      images() {
        openImages += 1;
        const body = new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(1024)),
          cancel() {
            openImages -= 1;
          },
        });
        return new Response(body);
      },
    },
  );
  close = listener.close;
  return { ...listener, openImages: () => openImages };
}

const replacing: HttpHooks = { onResponse: () => new Response('not now', { status: 503 }) };
const passing: HttpHooks = { onResponse: () => undefined };

describe('an answer that a plug-in drops', () => {
  it.each<[string, number, HttpHooks[]]>([
    ['gives another in its place', 503, [replacing]],
    ['gives another in the place of what a plug-in further in handed on', 503, [replacing, passing]],
    ['throws', 500, [{ onResponse: () => Promise.reject(new Error('clumsy')) }]],
    ['returns what is no answer', 500, [{ onResponse: () => 'clumsy' as never }]],
  ])('is ended, where one %s', async (_what, status, hooks) => {
    const { fetch, openImages, openStreams } = await start(...hooks);
    for (let count = 0; count < 5; count++) {
      const image = await fetch('/images/a');
      const stream = await fetch('/graphql', { headers: EVENTS });
      expect([image.status, stream.status]).toEqual([status, status]);
      await Promise.all([image.text(), stream.text()]);
    }
    await vi.waitFor(() => expect([openImages(), openStreams()]).toEqual([0, 0]));
  });

  it('is ended also where the other answer came from a plug-in', async () => {
    let isOpen = true;
    const cancel = () => {
      isOpen = false;
    };
    const inner = () => new Response(new ReadableStream({ cancel }));
    const { fetch } = await start(replacing, { onRequest: inner });
    expect(await (await fetch('/images/a')).text()).toBe('not now');
    await vi.waitFor(() => expect(isOpen).toBe(false));
  });
});

describe('an answer that a plug-in hands on', () => {
  const upperCase = () =>
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) =>
        controller.enqueue(new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase())),
    });

  it.each<[string, HttpHooks['onResponse'], string]>([
    ['in an answer of its own', ({ body }) => new Response(body, { status: 203 }), 'data: {}'],
    ['through something', ({ body }) => new Response(body?.pipeThrough(upperCase()) ?? null), 'DATA: {}'],
    ['as a copy', (response) => response.clone(), 'data: {}'],
  ])('goes on: %s', async (_how, onResponse, beginning) => {
    const { fetch } = await start(onResponse === undefined ? {} : { onResponse });
    const stream = await fetch('/graphql', { headers: EVENTS });
    const { value } = (await stream.body?.getReader().read()) ?? {};
    expect(new TextDecoder().decode(value)).toMatch(new RegExp(`^${beginning}`));
  });
});
