/** Stands for what is not shown; says nothing of it, not even its length. */
export const MASK = '********';

/** Settings and parameters of URLs whose value is a secret, by their name; not files that hold one. */
const SECRET_NAME = /(key|keyid|secret|password|passwd|passphrase|token|credential|signature|auth)$/i;

/** Parameters of URLs that are shown: none holds a secret, and whoever reads a configuration wants to know them. */
const SHOWN_PARAMETERS = new Set([
  'endpoint',
  'region',
  'host',
  'port',
  'sslmode',
  'application_name',
  'schema',
]);

/** Whether the setting of this name is a secret as a whole. */
export const isSecret = (name: string): boolean => SECRET_NAME.test(name);

/**
 * A setting as it may be shown: secrets are masked, and so is what a URL may hold of them: its user information, and
 * its parameters but for those that are known to hold none.
 */
export function maskSetting(name: string, value: string): string {
  if (isSecret(name)) return MASK;
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? maskUrl(value) : value;
}

function maskUrl(text: string): string {
  // A password with characters that no URL may hold: what is meant by it is only guessed, so nothing is shown.
  if (!URL.canParse(text)) return `${text.slice(0, text.indexOf('://'))}://${MASK}`;
  const url = new URL(text);
  const parameters = [...url.searchParams].map(([name, value]) => ({
    text: `${name}=${SHOWN_PARAMETERS.has(name) ? maskSetting('', value) : MASK}`,
    isWhole: SHOWN_PARAMETERS.has(name) && maskSetting('', value) === value,
  }));
  // The user of a database is no secret; elsewhere a key may stand in its place.
  const userIsSecret = url.username !== '' && !/^postgres(ql)?:$/.test(url.protocol);
  const isWhole = !userIsSecret && url.password + url.hash === '' && parameters.every((each) => each.isWhole);
  if (isWhole) return text;
  if (userIsSecret) url.username = MASK;
  if (url.password !== '') url.password = MASK;
  if (url.hash !== '') url.hash = MASK;
  url.search = '';
  // Put together by hand, readable rather than escaped: it is shown here, and followed by nobody.
  return parameters.length === 0 ? url.href : `${url.href}?${parameters.map((each) => each.text).join('&')}`;
}
