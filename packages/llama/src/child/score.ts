import type { TokenId } from '@petals-chat/engine'
import type { ScoreCommand, TokenDetails } from '../protocol.ts'
import type { BatchScheduler } from './batch-scheduler.ts'
import { Distribution } from './distribution.ts'
import type { NativeLayer } from './native.ts'
import type { Sequence } from './sequence.ts'

export interface ScoreContext {
  readonly native: NativeLayer
  readonly scheduler: BatchScheduler
  readonly sequence: Sequence
  readonly signal: AbortSignal
}

/** Computes the tokens and returns the log probability of each; the first one of an empty sequence has none. */
export async function score(command: ScoreCommand, context: ScoreContext): Promise<TokenDetails[]> {
  const { scheduler, sequence, signal } = context
  const before = [...sequence.tokens]
  const distribution = new Distribution(context.native)
  try {
    return await scoreAfter(before, command, distribution, context)
  } catch (error) {
    // The last token of the sequence was dropped to be computed again: an abort must not lose it.
    const lost = signal.aborted ? before.slice(sequence.tokens.length) : []
    const never = new AbortController().signal
    await scheduler.evaluate({ sequence, tokens: lost, logits: 'none', signal: never })
    throw error
  } finally {
    distribution.dispose()
  }
}

async function scoreAfter(
  before: readonly TokenId[],
  { tokens, topLogprobs }: ScoreCommand,
  distribution: Distribution,
  { scheduler, sequence, signal }: ScoreContext,
): Promise<TokenDetails[]> {
  // The logits after a cached token exist only while it is computed, so the last token is computed again.
  const again = before.slice(-1)
  const inputs = [...again, ...tokens]
  const scores: TokenDetails[] = again.length === 0 ? [{ token: tokens[0]! }] : []
  const lost = sequence.truncate(before.length - again.length)
  await scheduler.evaluate({ sequence, tokens: lost, logits: 'none', signal })
  const onLogits = async (batchIndex: number, index: number) => {
    const next = inputs[index + 1]
    if (next !== undefined) scores.push(await distribution.describe(batchIndex, next, topLogprobs))
  }
  await scheduler.evaluate({ sequence, tokens: inputs, logits: 'all', onLogits, signal })
  return scores
}
