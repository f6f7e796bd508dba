const MAX_LENGTH = 2_000;
const HTTPS_PORT = 443;
/** The ports below are those of other services, which a receiver's host may well run too. */
const FIRST_FREE_PORT = 1_024;

/** What came of a `webhookUrl`: its one normal form, or the rule that it breaks, for the developer who wrote it. */
export type WebhookUrl = { readonly url: string } | { readonly problem: string };

/**
 * Judges a `webhookUrl` by what it says; where its host leads is judged by every delivery, see `guarded-lookup.ts`.
 * `hosts` are those that may be named, in lower case, `*.example.org` for any name below `example.org`.
 */
export function checkWebhookUrl(text: string, hosts: readonly string[] | undefined): WebhookUrl {
  if (hosts === undefined) return { problem: 'is not allowed: this gateway sends no webhooks.' };
  if (text.length > MAX_LENGTH || !URL.canParse(text)) return { problem: WRONG_LENGTH_OR_FORM };
  const url = new URL(text);
  if (url.protocol !== 'https:') return { problem: 'must begin with "https://".' };
  if (url.username !== '' || url.password !== '') return { problem: 'must have no user name or password.' };
  if (url.hash !== '' || text.includes('#')) return { problem: 'must have no fragment ("#").' };
  if (isIpLiteral(url.hostname)) return { problem: 'must name a host, not an IP address.' };
  // A URL's parser forgives a lot: backslashes, tabs, escapes, letters that look alike. What is judged is what is there.
  if (!text.toLowerCase().startsWith(`https://${url.host}`)) {
    return { problem: 'must write its host plainly, in ASCII.' };
  }
  const port = url.port === '' ? HTTPS_PORT : Number(url.port);
  if (port !== HTTPS_PORT && port < FIRST_FREE_PORT) {
    return { problem: `must have no port, or one from ${FIRST_FREE_PORT}.` };
  }
  if (!isAllowedHost(url.hostname, hosts)) return { problem: 'has a host that this gateway does not allow.' };
  // Escapes make it longer than it was.
  return url.href.length > MAX_LENGTH ? { problem: WRONG_LENGTH_OR_FORM } : { url: url.href };
}

const WRONG_LENGTH_OR_FORM = `must be a URL of at most ${MAX_LENGTH} characters.`;

/** The parser has made dotted decimals of every other way to write an IPv4 address by now. */
const isIpLiteral = (hostname: string): boolean =>
  hostname.startsWith('[') || /^\d+\.\d+\.\d+\.\d+$/.test(hostname);

const isAllowedHost = (hostname: string, hosts: readonly string[]): boolean =>
  hosts.some((host) => (host.startsWith('*.') ? hostname.endsWith(host.slice(1)) : hostname === host));
