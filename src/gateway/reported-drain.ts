import type { Logger } from 'pino';
import type { StagedPicture } from '../generation.ts';
import type { ProviderAnswer } from '../providers/provider.ts';

type Drain = (attemptId: string, answer: ProviderAnswer) => Promise<StagedPicture>;

/** Logs what a provider says that it did not do as it was asked: the picture is paid, and kept all the same. */
export const reportedDrain =
  (drain: Drain, log: Pick<Logger, 'warn'>): Drain =>
  async (attemptId, answer) => {
    const staged = await drain(attemptId, answer);
    const { warnings = [] } = answer.metadata();
    if (warnings.length > 0) {
      log.warn({ attemptId, model: staged.model, warnings }, 'the picture is not all that was asked for');
    }
    return staged;
  };
