/** What an error answer says, in OpenAI's words: `{"error":{"message","type","param","code"}}`. */
export interface ErrorBody {
  readonly message: string;
  readonly type: string;
  /** The field at fault. */
  readonly param: string | null;
  readonly code: string | null;
}

/** A request that the sandbox does not take; nothing is generated or billed. */
export class Refusal extends Error {
  /** HTTP status, 4xx. */
  readonly status: number;
  readonly body: ErrorBody;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    body: { message: string; type?: string; param?: string | null; code?: string | null },
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(body.message);
    this.name = 'Refusal';
    this.status = status;
    this.headers = headers;
    this.body = { type: 'invalid_request_error', param: null, code: null, ...body };
  }
}

export const errorJson = (body: ErrorBody): string => JSON.stringify({ error: body });
