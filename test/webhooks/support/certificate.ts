import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';

/** A certificate that trusts itself, and its key, both PEM. */
export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
}

/**
 * Makes a certificate for these hosts, good for a day: Node can read X.509 but not write it, and a key in the repository
 * would be one that somebody trusts. The few fields of RFC 5280 that a TLS client asks for, in DER.
 */
export function createCertificate(hosts: readonly string[]): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(objectId('2a8648ce3d040302')); // ecdsa-with-SHA256
  const name = sequence(set(sequence(objectId('550403'), utf8('Gesso tests')))); // commonName
  const alternativeNames = sequence(...hosts.map((host) => element(0x82, Buffer.from(host, 'ascii'))));
  const extensions = sequence(
    sequence(objectId('551d11'), octets(alternativeNames)), // subjectAltName
    sequence(objectId('551d13'), octets(sequence(element(0x01, Buffer.from([0xff]))))), // basicConstraints: a CA
  );
  const body = sequence(
    element(0xa0, integer(2)), // version 3
    integer(1),
    algorithm,
    name,
    sequence(time(Date.now() - HALF_A_DAY_MS), time(Date.now() + HALF_A_DAY_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    element(0xa3, extensions),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)]);
  const certificate = new X509Certificate(sequence(body, algorithm, element(0x03, signature)));
  return {
    certificate: certificate.toString(),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

const HALF_A_DAY_MS = 12 * 3600 * 1000;

function element(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
const sequence = (...parts: readonly Buffer[]): Buffer => element(0x30, Buffer.concat(parts));
const set = (...parts: readonly Buffer[]): Buffer => element(0x31, Buffer.concat(parts));
const octets = (content: Buffer): Buffer => element(0x04, content);
const integer = (value: number): Buffer => element(0x02, Buffer.from([value]));
const objectId = (hex: string): Buffer => element(0x06, Buffer.from(hex, 'hex'));
const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text));
/** GeneralizedTime. */
const time = (milliseconds: number): Buffer =>
  element(0x18, Buffer.from(`${new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, '')}`));
