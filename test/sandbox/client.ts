import { Agent, request } from 'undici';

/** The fields that BetterToken asks to be sent explicitly, and a prompt. */
export const goodFields = {
  model: 'gpt-image-2',
  prompt: 'a lighthouse at dusk',
  n: 1,
  size: '1024x1024',
  response_format: 'b64_json',
  output_format: 'png',
} as const;

const agent = new Agent({ allowH2: false });

export interface Posted {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** POSTs to the sandbox's generation endpoint. `fields` are sent as they are; a string is sent unquoted. */
export async function post(
  baseUrl: string,
  fields: unknown = goodFields,
  {
    headers = {},
    path = '/images/generations',
    method = 'POST',
    signal,
  }: {
    headers?: Record<string, string>;
    path?: string;
    method?: 'POST' | 'GET' | 'PUT' | 'DELETE';
    signal?: AbortSignal;
  } = {},
): Promise<Posted> {
  const answer = await request(`${baseUrl}${path}`, {
    method,
    dispatcher: agent,
    headers: { authorization: 'Bearer sk-test', 'content-type': 'application/json', ...headers },
    body: method === 'GET' ? null : typeof fields === 'string' ? fields : JSON.stringify(fields),
    ...(signal === undefined ? {} : { signal }),
  });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

export interface ImageBody {
  readonly created: number;
  readonly data: readonly { readonly b64_json: string; readonly revised_prompt?: unknown }[];
}

/** The first picture of a good answer, and what came with it. */
export function imageOf(text: string): { body: ImageBody; picture: Buffer; revisedPrompt: unknown } {
  const body = JSON.parse(text) as ImageBody;
  const [image] = body.data;
  if (image === undefined) throw new Error('The answer has no data[0].');
  return { body, picture: Buffer.from(image.b64_json, 'base64'), revisedPrompt: image.revised_prompt };
}
