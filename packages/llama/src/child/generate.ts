import type { TokenId } from '@petals-chat/engine'
import type { GenerateCommand, TokenDetails } from '../protocol.ts'
import type { BatchScheduler } from './batch-scheduler.ts'
import type { Credit } from './credit.ts'
import { Distribution } from './distribution.ts'
import type { NativeGrammarState, NativeLayer } from './native.ts'
import type { Sequence } from './sequence.ts'
import { TokenSampler } from './token-sampler.ts'

/** The session has no room for one more token. */
export class LengthReached extends Error {
  override readonly name = 'LengthReached'
}

export interface GenerateContext {
  readonly native: NativeLayer
  readonly scheduler: BatchScheduler
  readonly sequence: Sequence
  readonly credit: Credit
  readonly signal: AbortSignal
  isEndToken(token: TokenId): boolean
  readonly send: (token: TokenDetails) => void
}

/** Computes the prompt, then sends one token per step until it is stopped. @throws LengthReached, the signal's reason */
export async function generate(
  command: GenerateCommand,
  grammar: NativeGrammarState | undefined,
  context: GenerateContext,
): Promise<void> {
  const { native, scheduler, sequence, credit, signal, send } = context
  const { sampling, topLogprobs, maxLength, answered } = command
  const history = [...sequence.tokens, ...command.tokens]
  const sampler = new TokenSampler(native, { sampling, history, answered, maxLength, grammar })
  const distribution = topLogprobs === undefined ? undefined : new Distribution(native)
  const owner = { request: command.request, hasGrammar: grammar !== undefined }
  try {
    let inputs = command.tokens
    for (;;) {
      await credit.take(signal)
      if (sequence.tokens.length + inputs.length > maxLength) throw new LengthReached('the session is full')
      let chosen: TokenDetails | undefined
      const onLogits = async (batchIndex: number) => {
        const token = await sampler.sample(batchIndex)
        chosen = distribution ? await distribution.describe(batchIndex, token, topLogprobs!) : { token }
      }
      await scheduler.evaluate({ sequence, owner, tokens: inputs, logits: 'last', onLogits, signal })
      send(chosen!)
      // Most readers stop at an end token: without the pause one more step would be computed and discarded.
      if (context.isEndToken(chosen!.token)) credit.pause()
      inputs = [chosen!.token]
    }
  } finally {
    sampler.dispose()
    distribution?.dispose()
  }
}
