import type { ClientOptions } from '../client-settings.ts';
import { gatewayClient } from '../gateway-client.ts';
import { gatewayFailure } from '../gateway-failure.ts';
import { nodeIds, wholeId } from '../ids.ts';
import { printJson } from '../terminal/json.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** Cancels a generation, and says whether it may be billed all the same. @throws {CommandFailure} */
export async function cancel(
  typed: string,
  options: ClientOptions & { json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const { client, context } = gatewayClient(options, terminal, { retrySeconds: 0 });
  try {
    const whole = await wholeId(typed, client, terminal.program);
    const [named] = nodeIds(whole, ['Generation'], terminal.program);
    const { generation, mayBeBilled } = await client.cancelGeneration(named?.id ?? '');
    if (options.json === true) {
      printJson(terminal.stdout, { generationId: generation.id, status: generation.status, mayBeBilled });
      return;
    }
    const billed = mayBeBilled
      ? 'A call had been sent: the provider may make the image all the same, and bill it.'
      : 'Nothing had been sent.';
    terminal.stdout.write(`Canceled. ${billed}\n`);
  } catch (error) {
    throw gatewayFailure(error, context);
  }
}
