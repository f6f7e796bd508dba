import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createRedactor } from '../../src/providers/openai-wire/redact.ts';

const SECRET = 'bt_live+Key/01=23~|"x';
const redactor = createRedactor(SECRET);

describe('redact', () => {
  const spellings: Record<string, string> = {
    'as it is': SECRET,
    'in another case': SECRET.toUpperCase(),
    'percent-encoded': encodeURIComponent(SECRET),
    'percent-encoded in lower case': encodeURIComponent(SECRET).toLowerCase(),
    'percent-encoded twice': encodeURIComponent(encodeURIComponent(SECRET)),
    'percent-encoded throughout': Array.from(SECRET, (c) => `%${c.charCodeAt(0).toString(16)}`).join(''),
    'as JSON': JSON.stringify(SECRET).slice(1, -1),
    'as JSON within JSON': JSON.stringify(JSON.stringify(SECRET)).slice(3, -3),
    'with escaped slashes': SECRET.replaceAll('/', '\\/'),
    'with unicode escapes': Array.from(
      SECRET,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ).join(''),
    'as HTML': SECRET.replaceAll('"', '&#34;').replaceAll('+', '&#x2b;'),
    'in hex': Buffer.from(SECRET).toString('hex'),
    'in upper-case hex': Buffer.from(SECRET).toString('hex').toUpperCase(),
    'with a zero-width space in it': `${SECRET.slice(0, 5)}\u200b${SECRET.slice(5)}`,
  };
  it.each(Object.entries(spellings))('finds the secret %s', (_name, spelling) => {
    expect(redactor.text(`Key ${spelling} is wrong`, 500)).toBe('Key [redacted] is wrong');
  });

  it.each(['base64', 'base64url'] as const)(
    'finds the secret within %s, wherever it lies in it',
    (encoding) => {
      for (const before of ['', 'a', 'ab', 'Bearer ', 'user:']) {
        for (const after of ['', ':', 'ab', ' tail']) {
          const text = redactor.text(Buffer.from(before + SECRET + after).toString(encoding), 500);
          const left = Buffer.from(text.replace('[redacted]', ''), 'base64').toString('latin1');
          expect(text).toContain('[redacted]');
          expect(left).not.toContain(SECRET.slice(0, 6));
          expect(left).not.toContain(SECRET.slice(-6));
        }
      }
    },
  );

  it("finds other people's keys", () => {
    const text =
      'Wrong: sk-proj-abc_DEF123, sk-ab***wxyz, Authorization: Bearer eyJhbGciOi.x.y; basic dXNlcjpwYXNz';
    expect(redactor.text(text, 500)).toBe(
      'Wrong: [redacted], [redacted], Authorization: [redacted]; [redacted]',
    );
  });

  it('leaves ordinary text as it is', () => {
    const text = '提示词违反了内容政策: "ask-me" is task-oriented, basic and 100% fine \\o/';
    expect(redactor.text(text, 500)).toBe(text);
  });

  it('makes one line, without control characters and without turning its direction', () => {
    expect(redactor.text(' a\r\nb\u0000c\u001b[31md\u2028e\u202ef\ud800 ', 500)).toBe('a b c [31md ef\uFFFD');
  });

  it('bounds the length, and cuts no secret in half', () => {
    const text = redactor.text(`${'x'.repeat(490)}${SECRET}`, 500);
    expect(text).toBe(`${'x'.repeat(490)}[redacted]`);
    expect(redactor.text('x'.repeat(501), 500)).toBe(`${'x'.repeat(499)}…`);
    expect(redactor.text(`${'x'.repeat(98)}🚀🚀`, 100).isWellFormed()).toBe(true);
  });

  it('copies of an error only its name, code and message', () => {
    const original = Object.assign(new TypeError(`bad ${SECRET}`, { cause: SECRET }), {
      code: `E_${SECRET}`,
      data: SECRET,
    });
    const copy = redactor.error(original);
    expect(copy).toMatchObject({ name: 'TypeError', message: 'bad [redacted]', code: 'E_[redacted]' });
    expect(inspect(copy, { showHidden: true, depth: Infinity })).not.toContain(SECRET);
  });

  it('does not show the secret itself', () => {
    expect(inspect(redactor, { showHidden: true, depth: Infinity })).not.toContain(SECRET);
  });

  it('takes a bounded time for hostile texts', () => {
    const started = performance.now();
    for (const text of ['\\', '%25', 'Bearer ', 'b', '&#0', 'sk-', 'bearer\t']) {
      redactor.text(text.repeat(65_536 / text.length), 500);
    }
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
