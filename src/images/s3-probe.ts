export interface ProbeOptions {
  /** Writes the probe. */
  readonly write: () => Promise<unknown>;
  /** Reads the probe to its end; false where it is gone. */
  readonly read: () => Promise<boolean>;
}

/** Tells whether a store can be written to, without a write each time. */
export interface Probe {
  /** Does a write and remembers whether it worked. */
  watch(write: () => Promise<unknown>): Promise<void>;
  /**
   * Reads where the last write worked; otherwise writes. Whoever asks meanwhile shares the answer.
   *
   * @throws what the reading or the writing throws.
   */
  check(): Promise<void>;
}

export const createProbe = ({ write, read }: ProbeOptions): Probe => {
  let isWritable = false;
  let checking: Promise<void> | undefined;

  const watch: Probe['watch'] = async (work) => {
    try {
      await work();
      isWritable = true;
    } catch (error) {
      isWritable = false;
      throw error;
    }
  };

  return {
    watch,
    check() {
      checking ??= (async () => {
        if (!isWritable || !(await read())) await watch(write);
      })().finally(() => {
        checking = undefined;
      });
      return checking;
    },
  };
};
