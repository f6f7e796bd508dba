/** How a command ends. Documented in docs/cli.md and in `gesso --help`. */
export const EXIT = {
  done: 0,
  /** For want of anything closer. */
  failed: 1,
  /** An option, an argument or an input that can't be meant. Nothing was asked for. */
  misused: 2,
  /** The provider, or its policy, refused: the same again is refused again. */
  refused: 3,
  /** Sent, and no whole answer came: the image may exist, and may be billed. */
  unknown: 4,
  /** The same command may succeed later: a provider, a quota or the gateway itself was not available. */
  later: 5,
  interrupted: 130,
  /** By SIGTERM. */
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with this code. What is to be said was said, or is the message: what happened, and what to do. */
export class CommandFailure extends Error {
  readonly code: ExitCode;
  /** Undefined where the command has said it already. */
  readonly happened: string | undefined;
  readonly advice: string | undefined;

  constructor(code: ExitCode, { happened, advice }: { happened?: string; advice?: string | undefined } = {}) {
    super(happened);
    this.code = code;
    this.happened = happened;
    this.advice = advice;
  }
}

/** Used wrongly. */
export const misuse = (happened: string, advice?: string): CommandFailure =>
  new CommandFailure(EXIT.misused, { happened, advice });
