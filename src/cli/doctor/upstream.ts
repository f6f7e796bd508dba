import { type Check, type Finding, good, look, messageOf, wrong } from './check.ts';

/** For name, connection, TLS and an answer, in milliseconds. */
const PATIENCE_MS = 10_000;

const BETTERTOKEN = 'https://www.bettertoken.ai/v1';

/**
 * Whether the provider is there, by a `GET` of its list of models, which buys nothing. Whether it would draw is not
 * asked: only an image could tell.
 */
export const upstream: Check = {
  name: 'Upstream',
  async look({ config, extensions }) {
    const others = (extensions.plugins ?? []).flatMap(({ providers = [] }) =>
      providers.map(({ name }) => name),
    );
    if (config.sandbox)
      return good('the sandbox on this machine, which every start brings; nothing to reach');
    const notAsked = `of plug-ins, and not asked: ${others.join(', ')}`;
    if (config.betterTokenApiKey === undefined) return look(notAsked);
    const finding = await askForModels(config.betterTokenBaseUrl ?? BETTERTOKEN, config.betterTokenApiKey);
    return others.length === 0 ? finding : { ...finding, found: `${finding.found}; ${notAsked}` };
  },
};

async function askForModels(baseUrl: string, apiKey: string): Promise<Finding> {
  const { host } = new URL(baseUrl);
  let response: Response;
  try {
    response = await fetch(`${baseUrl}/models`, {
      headers: { authorization: `Bearer ${apiKey}`, accept: 'application/json' },
      // The key goes to nobody else.
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    await response.body?.cancel();
  } catch (error) {
    return wrong(
      `${host} can't be reached: ${messageOf(error)}`,
      'See BETTERTOKEN_BASE_URL, DNS, firewall and proxy.',
    );
  }
  const answer = `${host} answers GET ${new URL(baseUrl).pathname}/models with ${response.status}`;
  return judge(response.status, answer);
}

function judge(status: number, answer: string): Finding {
  if (status === 200) return good(`${answer}: there, and takes the key; whether it draws was not tried`);
  if (status === 401 || status === 403)
    return wrong(`${answer}: it refuses the key`, 'See BETTERTOKEN_API_KEY.');
  if (status >= 300 && status < 400) {
    return wrong(
      `${answer}: it sends elsewhere`,
      'Set BETTERTOKEN_BASE_URL to where it sends; redirects are not followed.',
    );
  }
  if (status >= 500) return look(`${answer}: there, but in trouble`, 'Try again later.');
  return good(`${answer}: there; whether it takes the key, and draws, was not tried`);
}
