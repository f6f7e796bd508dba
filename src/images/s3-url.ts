import { ConfigError } from '../errors.ts';

/** Where an S3 store is, as a setting says. */
export interface S3Location {
  readonly bucket: string;
  /** Goes before every key: empty, or ends with `/`. */
  readonly prefix: string;
  /** Undefined for AWS itself. */
  readonly endpoint: string | undefined;
  /** Undefined: `AWS_REGION`, or what the AWS SDK finds, or `us-east-1`. */
  readonly region: string | undefined;
}

/** What such a setting looks like, for messages. */
export const S3_URL_FORM = 's3://bucket/prefix?endpoint=https://s3.example.com&region=us-east-1';

const PARAMETERS = ['endpoint', 'region'];
/** The rules of AWS: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;

/**
 * Reads `s3://bucket/prefix?endpoint=…&region=…`.
 *
 * @throws {ConfigError} that says what is wrong and repeats nothing that could be a secret.
 */
export const parseS3Url = (storageUrl: string): S3Location => {
  if (!URL.canParse(storageUrl)) throw refusal('The image storage is no URL');
  const url = new URL(storageUrl);
  if (url.username !== '' || url.password !== '') {
    throw refusal(
      'The URL of the image storage must hold no key: the AWS SDK takes it from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or where else it looks by itself',
    );
  }
  if (!BUCKET.test(url.hostname) || url.port !== '') {
    throw refusal('The image storage needs the name of a bucket after s3://');
  }
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '');
  if (prefix !== '' && !PREFIX.test(prefix)) {
    throw refusal('The prefix of the image storage is letters, digits, "-", "_" and ".", in folders by "/"');
  }
  if (url.hash !== '') throw refusal('The URL of the image storage must have no "#"');
  return {
    bucket: url.hostname,
    prefix: prefix === '' ? '' : `${prefix}/`,
    ...readParameters(url.searchParams),
  };
};

const readParameters = (parameters: URLSearchParams): Pick<S3Location, 'endpoint' | 'region'> => {
  const names = [...parameters.keys()];
  const unknown = names.filter((name) => !PARAMETERS.includes(name));
  if (unknown.length > 0) {
    // A key that was pasted in the wrong place would be a name, too.
    const shown = unknown.map((name) =>
      /^[A-Za-z_-]{1,30}$/.test(name) ? `"${name}"` : 'one with an odd name',
    );
    throw refusal(`The image storage has a parameter that is not known: ${shown.join(', ')}`);
  }
  if (new Set(names).size < names.length) throw refusal('The image storage has a parameter twice');

  const endpoint = parameters.get('endpoint') ?? undefined;
  if (endpoint !== undefined && !isEndpoint(endpoint)) {
    throw refusal('The endpoint of the image storage must be an http or https URL without a key, "?" or "#"');
  }
  const region = parameters.get('region') ?? undefined;
  if (region !== undefined && !/^[a-z0-9-]{1,40}$/.test(region)) {
    throw refusal('The region of the image storage is lowercase letters, digits and hyphens');
  }
  return { endpoint: endpoint?.replace(/\/+$/, ''), region };
};

const isEndpoint = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username + password + search + hash === '';
};

const refusal = (problem: string): ConfigError =>
  new ConfigError(`${problem}; it looks like ${S3_URL_FORM}.`);
