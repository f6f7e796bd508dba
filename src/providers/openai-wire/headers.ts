import type { HttpReply } from './call.ts';

/** Whether the body is packed in any way (`Content-Encoding` other than `identity`). */
export const isCompressed = (headers: HttpReply['headers']): boolean =>
  [headers['content-encoding'] ?? []]
    .flat()
    .flatMap((value) => value.split(','))
    .some((coding) => !['', 'identity'].includes(coding.trim().toLowerCase()));
