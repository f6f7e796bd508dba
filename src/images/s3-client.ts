import { S3Client } from '@aws-sdk/client-s3';
import { ConfigError } from '../errors.ts';
import type { S3Location } from './s3-url.ts';

/** A key that is given, instead of the one that the SDK finds by itself. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** When the key ends, and every URL that it has signed. */
  readonly expiration?: Date;
}

const DEFAULT_REGION = 'us-east-1';
const CONNECT_MS = 5_000;

/**
 * The vendor's client, set so that stores other than AWS understand it.
 *
 * @throws {ConfigError} when the files that the SDK reads by itself are malformed.
 */
export const createS3Client = async (
  { endpoint, region }: S3Location,
  credentials: S3Credentials | undefined,
): Promise<S3Client> =>
  new S3Client({
    // Other stores have no host name for each bucket.
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    region: region ?? (await findRegion()),
    // Backblaze and Cloudflare answer 400 and 501 to the checksum headers that newer SDKs add by themselves.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Asking first (`Expect: 100-continue`) takes a new connection for each upload, and seconds where a proxy is silent.
    expectContinueHeader: false,
    // One retry, of what has no body: whoever stores an image tries again until its deadline anyway.
    maxAttempts: 2,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      // What goes on at once is bounded by the gateway. A bound here would make an upload wait for slow readers, and
      // the wait for a socket counts as time to connect.
      httpAgent: { maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { maxSockets: Number.POSITIVE_INFINITY },
    },
    logger: SILENT,
  });

/** Failures are thrown; the SDK would write some of them to the console as well. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** What the SDK finds: `AWS_REGION`, or the profile in its files. */
const findRegion = async (): Promise<string> => {
  const client = new S3Client({ logger: SILENT });
  try {
    return await client.config.region();
  } catch (error) {
    if (error instanceof Error && error.message === 'Region is missing') return DEFAULT_REGION;
    throw new ConfigError('The settings of the AWS SDK (AWS_REGION, its profile) can not be read.', {
      cause: error,
    });
  } finally {
    client.destroy();
  }
};
