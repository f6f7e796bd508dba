import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type HookedListenerOptions, hooking, startHookedListener } from '../support/hooked-listener.ts';

let close: () => Promise<void> = async () => undefined;
afterEach(() => close());

/** A gateway whose `/graphql` a plug-in has closed, and what that plug-in saw. */
async function startClosed() {
  const seen: string[] = [];
  const listener = await startHookedListener([
    hooking({
      onRequest(request) {
        const { pathname } = new URL(request.url);
        seen.push(pathname);
        return pathname === '/graphql' ? new Response('closed', { status: 403 }) : undefined;
      },
    }),
  ]);
  close = listener.close;
  return { ...listener, seen };
}

const statusOf = async (answer: Promise<string>) => (await answer).split(' ')[1];

describe('a hook that closes /graphql', () => {
  it.each([
    'a/open?',
    'a/open#',
    'a?',
    'a#',
    'a\\x?',
    'a\\',
    'a/..',
    'u:p@a',
    'u@a',
    '@a',
    'a b',
    '',
    '[',
    'a:b',
  ])('is not led past by the host %j', async (host) => {
    const { askForWebSocket, seen, upgraded, logLines } = await startClosed();
    expect(await statusOf(text(askForWebSocket({ host })))).toBe('400');
    expect([seen, upgraded, logLines]).toEqual([[], [], []]);
  });

  it.each([
    '/x/../graphql',
    '/./graphql',
    '//graphql/..',
    '/graphql#a',
    '/graphql\\..',
    'http://a/graphql',
    '*',
  ])('is not led past by the target %s, which is another one to others', async (target) => {
    const { askForWebSocket, seen, upgraded } = await startClosed();
    expect(await statusOf(text(askForWebSocket({ target })))).toBe('400');
    expect([seen, upgraded]).toEqual([[], []]);
  });

  it.each(['gesso', 'gesso:4000', '127.0.0.1:80', '[::1]:4000', 'xn--bcher-kva.example'])(
    'is asked for the host %s',
    async (host) => {
      const { askForWebSocket, seen } = await startClosed();
      expect(await statusOf(text(askForWebSocket({ host, target: '/graphql?a=%2F..#' })))).toBe('400');
      expect(await statusOf(text(askForWebSocket({ host, target: '/graphql?a=/../b' })))).toBe('403');
      expect(await statusOf(text(askForWebSocket({ host, target: '/%67raphql' })))).toBe('404');
      expect(seen).toEqual(['/graphql', '/%67raphql']);
    },
  );
});

describe('wishes for a WebSocket that wait for a hook', () => {
  /** A gateway whose plug-in answers when it is told to. */
  async function startSlow(limits: HookedListenerOptions['limits']) {
    const waiting: ((answer: Response | undefined) => void)[] = [];
    const onRequest = () =>
      new Promise<Response | undefined>((resolve) => {
        waiting.push(resolve);
      });
    const listener = await startHookedListener([hooking({ onRequest })], limits && { limits });
    close = listener.close;
    return { ...listener, waiting };
  }

  it('are so many and no more; others are told to come later', async () => {
    const { askForWebSocket, waiting, upgraded } = await startSlow({ maxWaiting: 3 });
    const answers = Array.from({ length: 3 }, () => statusOf(text(askForWebSocket())));
    await vi.waitFor(() => expect(waiting).toHaveLength(3));
    expect(await statusOf(text(askForWebSocket()))).toBe('503');
    for (const answer of waiting.splice(0)) answer(undefined);
    expect(await Promise.all(answers)).toEqual(['404', '404', '404']);
    const next = statusOf(text(askForWebSocket()));
    await vi.waitFor(() => expect(waiting).toHaveLength(1));
    waiting[0]?.(undefined);
    expect(await next).toBe('404');
    expect(upgraded).toHaveLength(4);
  });

  it('wait so long and no longer, make room then, and are not granted afterwards', async () => {
    const { askForWebSocket, waiting, upgraded } = await startSlow({ maxWaiting: 1, waitMs: 100 });
    expect(await text(askForWebSocket())).toBe('');
    waiting[0]?.(undefined);
    expect(await text(askForWebSocket())).toBe('');
    expect(waiting).toHaveLength(2);
    expect(upgraded).toEqual([]);
  });

  it('are cut off when they do not read why they are refused', async () => {
    const { askForWebSocket, waiting } = await startSlow({ maxWaiting: 1, waitMs: 500 });
    const socket = askForWebSocket();
    socket.pause();
    await vi.waitFor(() => expect(waiting).toHaveLength(1));
    waiting[0]?.(new Response('y'.repeat(30_000_000), { status: 429 }));
    // Its place is free again, although it never read a byte.
    await vi.waitFor(
      async () => {
        const next = askForWebSocket();
        next.on('error', () => undefined);
        await vi.waitFor(() => expect(waiting.length).toBeGreaterThan(1), { timeout: 300 });
      },
      { timeout: 20_000 },
    );
    socket.destroy();
  });
});
