/** What can be wrong with the body of a successful answer. */
export type BodyErrorCode =
  /** The connection or the document ended too early. */
  | 'BODY_CUT'
  /** It is not JSON. */
  | 'BODY_MALFORMED'
  /** The picture's text is not base64. */
  | 'BASE64_INVALID'
  /** It is larger than any answer we would read. */
  | 'BODY_TOO_LARGE'
  /** It is a whole document, without a picture. */
  | 'NO_PICTURE';

const MESSAGES: Readonly<Record<BodyErrorCode, string>> = {
  BODY_CUT: 'The answer ended in the middle.',
  BODY_MALFORMED: 'The answer is not JSON.',
  BASE64_INVALID: 'The picture in the answer is not base64.',
  BODY_TOO_LARGE: 'The answer is larger than allowed.',
  NO_PICTURE: 'The answer holds no picture.',
};

/** Thrown by the parsers of this folder. Quotes nothing of the body, which may echo a secret. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly code: BodyErrorCode;
  constructor(code: BodyErrorCode) {
    super(MESSAGES[code]);
    this.code = code;
  }
}
