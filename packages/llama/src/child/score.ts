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

/** Prefills the tokens and gives the log probability of each; the first of an empty sequence has none. */
export async function score(
  { tokens, topLogprobs }: ScoreCommand,
  context: ScoreContext,
): Promise<TokenDetails[]> {
  const { native, scheduler, sequence, signal } = context
  // What comes after the last cached token is known only while it is computed: it is computed again.
  const before = sequence.tokens.slice(-1)
  const inputs = [...before, ...tokens]
  const lost = sequence.truncate(sequence.tokens.length - before.length)
  const scores: TokenDetails[] = before.length === 0 ? [{ token: tokens[0]! }] : []
  const distribution = new Distribution(native)
  try {
    if (lost.length > 0) await scheduler.evaluate({ sequence, tokens: lost, logits: 'none', signal })
    const onLogits = async (batchIndex: number, index: number) => {
      const next = inputs[index + 1]
      if (next !== undefined) scores.push(await distribution.describe(batchIndex, next, topLogprobs))
    }
    await scheduler.evaluate({ sequence, tokens: inputs, logits: 'all', onLogits, signal })
    return scores
  } finally {
    distribution.dispose()
  }
}
