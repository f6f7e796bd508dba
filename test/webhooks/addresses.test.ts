import { networkInterfaces } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../src/webhooks/public-address.ts';
import { createWebhookSender, type WebhookSenderOptions } from '../../src/webhooks/sender.ts';
import { webhookSecretOf } from '../../src/webhooks/signing.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

const message = { id: 'webhook-1', body: '{}', secret: webhookSecretOf('secret-of-the-gateway', 'client-1') };
const REFUSED = { kind: 'unanswered', reason: 'leads to no public address' };

/** It listens on every address of this machine, and counts who comes. */
let trap: Receiver;
beforeAll(async () => {
  trap = await startReceiver();
});
afterEach(() => trap.reset());
afterAll(() => trap.close());

const sender = (options: Partial<WebhookSenderOptions>) =>
  createWebhookSender({ now: () => new Date(), ca: trap.ca, timeoutMs: 2_000, ...options });

/** The addresses of this machine that a test may not take for loopback: a container's, or those of a desk. */
const own = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .map(({ address }) => address)
  .filter((address) => !isPublicAddress(address));

const PRIVATE = [
  ...['127.0.0.1', '127.1.2.3', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1', '::127.0.0.1'],
  ...[
    '10.0.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '100.64.0.1',
    '169.254.169.254',
    'fd00:ec2::254',
    'fe80::1%lo',
  ],
  ...[
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:0:7f00:1::1',
    '224.0.0.1',
    '255.255.255.255',
    '168.63.129.16',
  ],
];

describe('a host that leads into a private network', () => {
  it('is reachable here, but for the rule', async () => {
    const send = sender({ lookup: async () => ['127.0.0.1'], isAllowedAddress: () => true });
    expect(await send(trap.url, message)).toMatchObject({ kind: 'answered' });
    expect(trap.connections).toBe(1);
  });

  it.each([...new Set([...PRIVATE, ...own])])('is not connected to: %s', async (address) => {
    const send = sender({ lookup: async () => [address] });
    expect(await send(trap.url, message)).toEqual(REFUSED);
    expect(trap.connections).toBe(0);
  });

  it('is not connected to, by any of its addresses', async () => {
    const send = sender({ lookup: async () => [...PRIVATE, ...own] });
    expect(await send(trap.url, message)).toEqual(REFUSED);
    expect(trap.connections).toBe(0);
  });

  it('is not connected to where the system itself says so: localhost', async () => {
    const url = trap.url.replace('hooks.example.com', 'localhost');
    expect(await sender({})(url, message)).toEqual(REFUSED);
    expect(trap.connections).toBe(0);
  });

  it.each(['', 'localhost', '127.1', '2130706433', '0x7f000001', '[::1]', '127.0.0.1:80', '127.0.0.1 '])(
    'is not connected to by an answer that is no address: "%s"',
    async (answer) => {
      const send = sender({ lookup: async () => [answer], isAllowedAddress: () => true });
      expect(await send(trap.url, message)).toEqual(REFUSED);
      expect(trap.connections).toBe(0);
    },
  );
});

describe('a URL that names an address', () => {
  // Such a URL is refused when it is given; if one got here all the same, nothing would be looked up for it.
  it.each(['127.0.0.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]', '0'])(
    'is not sent to: %s',
    async (host) => {
      const send = sender({ isAllowedAddress: () => true });
      expect(await send(`https://${host}:${trap.port}/`, message)).toMatchObject({ kind: 'unanswered' });
      expect(trap.connections).toBe(0);
    },
  );

  it('without TLS is not sent to either', async () => {
    const send = sender({ lookup: async () => ['127.0.0.1'], isAllowedAddress: () => true });
    const url = trap.url.replace('https:', 'http:');
    expect(await send(url, message)).toMatchObject({ kind: 'unanswered' });
    expect(trap.connections).toBe(0);
  });
});

describe('a name that leads elsewhere a moment later (DNS rebinding)', () => {
  // To these tests 127.0.0.1 is of the public internet, and every other address is private.
  const isAllowedAddress = (address: string) => address === '127.0.0.1';

  /** Answers with the first address once, and with the second one from then on. */
  function rebinding(first: string, second: string) {
    const answers: string[] = [];
    return {
      answers,
      async lookup(): Promise<string[]> {
        const answer = answers.length === 0 ? first : second;
        answers.push(answer);
        return [answer];
      },
    };
  }

  it('is looked up once for a try: what was judged is what is connected to', async () => {
    const { answers, lookup } = rebinding('127.0.0.1', '127.0.0.2');
    expect(await sender({ lookup, isAllowedAddress })(trap.url, message)).toMatchObject({ kind: 'answered' });
    expect(answers).toEqual(['127.0.0.1']);
    expect(trap.connections).toBe(1);
  });

  it('is judged again for the next try, which has no connection to take over', async () => {
    const { lookup } = rebinding('127.0.0.1', '127.0.0.2');
    const send = sender({ lookup, isAllowedAddress });
    expect(await send(trap.url, message)).toMatchObject({ kind: 'answered' });
    for (let times = 0; times < 3; times++) expect(await send(trap.url, message)).toEqual(REFUSED);
    expect(trap.connections).toBe(1);
  });

  it('and has addresses of both kinds is connected to by the public one alone', async () => {
    const lookup = async () => ['127.0.0.2', '127.0.0.1', '::1'];
    const reached = new Set<string>();
    trap.answerWith((response) => {
      reached.add(response.socket?.localAddress?.replace('::ffff:', '') ?? '');
      response.writeHead(204).end();
    });
    expect(await sender({ lookup, isAllowedAddress })(trap.url, message)).toMatchObject({ kind: 'answered' });
    expect([...reached]).toEqual(['127.0.0.1']);
    expect(trap.connections).toBe(1);
  });

  it('is hung up on before a word is said, though the system connected elsewhere than it was told', async () => {
    let asked = 0;
    // Lets the address pass when it is looked up, and not when it is what the socket ended up with.
    const changing = () => ++asked === 1;
    const send = sender({ lookup: async () => ['127.0.0.1'], isAllowedAddress: changing });
    expect(await send(trap.url, message)).toEqual(REFUSED);
    expect(trap.received).toEqual([]);
  });
});
