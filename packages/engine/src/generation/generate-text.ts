import type { AbortOptions } from '../abort.ts'
import type { DraftCount, GenerateOptions, Model, Session } from '../engine.ts'
import { ContextLengthError, GenerationFailedError } from '../errors.ts'
import type { TokenId } from '../tokenizer.ts'
import { validateTextRequest } from '../validation.ts'
import { AnswerText } from './answer-text.ts'
import type { GenerationEndEvent, GenerationEvent, TextRequest, Timings } from './generate-text.types.ts'

type Finish = Pick<GenerationEndEvent, 'finishReason' | 'stopReason' | 'endToken'>

/**
 * Generates the answer to `request` on `session`: yields text as soon as it is final, then one `generation-end`. The
 * prefix of the prompt that is in the session's KV cache is not run again; the rest of the cache is dropped. Leaving the
 * loop, or aborting the signal, stops the session within one step.
 *
 * @throws InvalidRequestError, ContextLengthError if the prompt leaves no room for a token; later any EngineError, or the
 *   signal's reason. An answer never ends early without an error.
 */
export async function* generateText(
  model: Model,
  session: Session,
  request: TextRequest,
): AsyncGenerator<GenerationEvent, void, undefined> {
  validateTextRequest(request, model)
  const stopwatch = new Stopwatch()
  const room = roomForAnswer(session, request)
  const cachedTokens = await reuseCache(session, request.tokens, request)
  const answer = new AnswerText(model.tokenizer, request)
  const ends = request.ignoreEos === true ? new Set<TokenId>() : model.tokenizer.eosTokens
  const draftsBefore = session.drafts?.()
  let completionTokens = 0
  let finish: Finish | undefined

  for await (const generated of session.generate(
    request.tokens.slice(cachedTokens),
    sessionOptions(request, room),
  )) {
    request.signal?.throwIfAborted()
    stopwatch.tick()
    completionTokens++
    if (ends.has(generated.token)) {
      const stopReason = model.tokenizer.decode([generated.token])
      finish = { finishReason: 'stop', stopReason, endToken: generated }
      break
    }
    const delta = answer.push(generated)
    if (delta) yield delta
    if (answer.stop !== undefined || completionTokens >= room) {
      finish = { finishReason: 'length' }
      break
    }
  }
  // The engine's iteration ended by itself: a truncated answer must not look like a complete one.
  if (finish === undefined)
    throw new GenerationFailedError('The engine stopped in the middle of the answer. Try again.')

  const rest = answer.finish()
  if (rest) yield rest
  if (answer.stop !== undefined) finish = { finishReason: 'stop', stopReason: answer.stop }
  yield {
    type: 'generation-end',
    ...finish,
    usage: {
      promptTokens: request.tokens.length,
      cachedTokens,
      completionTokens,
      ...(draftsBefore && { drafts: draftsSince(draftsBefore, session.drafts!()) }),
    },
    timings: stopwatch.timings(),
  }
}

/** Returns the part of the request that the session needs. */
function sessionOptions(request: TextRequest, maxNewTokens: number): GenerateOptions {
  const { sampling, topLogprobs, grammar, prediction, onWait, signal } = request
  return { sampling, topLogprobs, grammar, maxNewTokens, prediction, onWait, signal }
}

const draftsSince = (before: DraftCount, now: DraftCount): DraftCount => ({
  accepted: now.accepted - before.accepted,
  rejected: now.rejected - before.rejected,
})

/** Returns the maximum length of the answer in tokens, so that prompt and answer together fit into the session. */
function roomForAnswer(session: Session, request: TextRequest): number {
  const promptTokens = request.tokens.length
  const room = Math.min(request.maxNewTokens, session.maxLength - promptTokens)
  if (room < 1) throw new ContextLengthError(promptTokens + 1, session.maxLength)
  return room
}

/** Truncates the session to the prefix that it shares with the prompt. At least one token is left to run, for its logits. */
async function reuseCache(
  session: Session,
  tokens: readonly TokenId[],
  options: AbortOptions,
): Promise<number> {
  const reusable = Math.min(commonPrefixLength(session.tokens, tokens), tokens.length - 1)
  if (session.tokens.length > reusable) await session.truncate(reusable, { signal: options.signal })
  return reusable
}

/** Returns the length of the common prefix of two lists. */
export function commonPrefixLength(a: ArrayLike<unknown>, b: ArrayLike<unknown>): number {
  const end = Math.min(a.length, b.length)
  let length = 0
  while (length < end && a[length] === b[length]) length++
  return length
}

/** Measures the times of one answer, from its own creation on. */
class Stopwatch {
  readonly #started = performance.now()
  #first: number | undefined
  #last: number | undefined

  /** Records the arrival of a token. */
  tick(): void {
    this.#last = performance.now()
    this.#first ??= this.#last
  }

  timings(): Timings {
    const first = this.#first ?? performance.now()
    return { timeToFirstTokenMs: first - this.#started, decodeMs: (this.#last ?? first) - first }
  }
}
