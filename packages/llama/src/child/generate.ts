import type { TokenId } from '@petals-chat/engine'
import type { AnswerToken, GenerateCommand, TokenDetails } from '../protocol.ts'
import { AnswerGuesses, type TokenSource } from './answer-guesses.ts'
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
  /** Guesses the tokens of the sequence's answers; undefined if nothing is guessed. */
  readonly source: TokenSource | undefined
  readonly signal: AbortSignal
  isEndToken(token: TokenId): boolean
  readonly send: (token: AnswerToken) => void
}

/** Computes the prompt, then sends the tokens of each step until it is stopped: one, and guesses that were right. @throws LengthReached, the signal's reason */
export async function generate(
  command: GenerateCommand,
  grammar: NativeGrammarState | undefined,
  context: GenerateContext,
): Promise<void> {
  const { native, scheduler, sequence, credit, signal } = context
  const { sampling, topLogprobs, maxLength, answered } = command
  const history = [...sequence.tokens, ...command.tokens]
  const sampler = new TokenSampler(native, { sampling, history, answered, maxLength, grammar })
  const distribution = topLogprobs === undefined ? undefined : new Distribution(native)
  const owner = { request: command.request, hasGrammar: grammar !== undefined }
  const guesses = guessesOf(command, history, context)
  try {
    let inputs = command.tokens
    for (;;) {
      await credit.take(signal)
      if (sequence.tokens.length + inputs.length > maxLength) throw new LengthReached('the session is full')
      const chosen: TokenDetails[] = []
      // The logits of later tokens are those after drafts: they count as long as the drafts before them were right.
      const onLogits = async (batchIndex: number): Promise<TokenId | undefined> => {
        if (signal.aborted && chosen.length > 0) return undefined
        const token = await sampler.sample(batchIndex)
        chosen.push(distribution ? await distribution.describe(batchIndex, token, topLogprobs!) : { token })
        return context.isEndToken(token) ? undefined : token
      }
      await scheduler.evaluate({ sequence, owner, tokens: inputs, logits: 'last', onLogits, guesses, signal })
      inputs = [sendChosen(chosen, guesses, context)]
    }
  } finally {
    guesses?.end()
    sampler.dispose()
    distribution?.dispose()
  }
}

function guessesOf(
  { prediction, maxLength }: GenerateCommand,
  history: readonly TokenId[],
  { source, sequence, credit }: GenerateContext,
): AnswerGuesses | undefined {
  if (!source) return undefined
  // The next token is computed in any case.
  const room = (): number => Math.min(credit.left, maxLength - sequence.tokens.length - 1)
  return new AnswerGuesses({ source, prompt: history, prediction, room })
}

/** Sends the tokens of a step. Returns the last one, which is not in the KV cache. */
function sendChosen(
  chosen: readonly TokenDetails[],
  guesses: AnswerGuesses | undefined,
  { credit, isEndToken, send }: GenerateContext,
): TokenId {
  const rejected = guesses?.chosen(chosen.map(({ token }) => token)) ?? 0
  const last = chosen.at(-1)!
  credit.spend(chosen.length - 1)
  for (const each of chosen.slice(0, -1)) send({ ...each, wasDraft: true })
  send(rejected === 0 ? last : { ...last, rejected })
  // Most readers stop at an end token: without the pause one more step would be computed and discarded.
  if (isEndToken(last.token)) credit.pause()
  return last.token
}
