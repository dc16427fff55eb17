import { type AnswerPart, petalsRequestSchema } from '@petals-chat/api'
import {
  type AbortOptions,
  InvalidRequestError,
  type Logger,
  type Model,
  type ModelSpec,
  type TokenId,
  type WaitEvent,
  withWaits,
} from '@petals-chat/engine'
import type { SessionPool } from '../../context.ts'
import { RouteReceipt } from '../../swarm/route-receipt.ts'
import { waitNotice } from '../../swarm/wait-notice.ts'
import { assertFits, generateChunks, promptTokens } from './generate-chunks.ts'
import { parseLength, parseSampling } from './generate-params.ts'
import { type RawParams, textListParam, textParam } from './python-values.ts'

/** Characters at the end of a text that the original looks at for an incomplete one. */
const HELD_BACK_CHARACTERS = 10

/** More than anybody has needed. */
const MAX_STOP_SEQUENCES = 100
const MAX_STOP_LENGTH = 1_000

export interface InferenceDialogueOptions {
  readonly sessions: SessionPool
  readonly spec: ModelSpec
  readonly model: Model
  /** Tokens of all inputs and answers together that fit into the session. */
  readonly maxLength: number
  readonly logger: Logger
}

interface StopRule {
  /** Left out: the first part is the whole answer. */
  readonly sequence: string | undefined
  readonly extraSequences: readonly string[]
  /** Takes the place of the answer's last token where an extra sequence ends it. */
  readonly token: TokenId | undefined
}

/**
 * The inference session of one connection. Between answers its KV cache waits in the pool, kept for this dialogue, and
 * makes room if others need it: then the next answer begins with running the tokens again.
 */
export class InferenceDialogue {
  readonly #options: InferenceDialogueOptions
  /** All inputs and answers so far. The last token has not been through the model yet. */
  #tokens: TokenId[] = []

  constructor(options: InferenceDialogueOptions) {
    this.#options = options
  }

  /** Prewarms a session for the first message. */
  async prewarm(): Promise<void> {
    const { sessions, model, maxLength, logger } = this.#options
    await sessions.prewarm(model, { maxLength, owner: this, logger })
  }

  /** Answers one `generate` message, part by part; with a stop sequence, until the answer ends with it. */
  async *generate(params: RawParams, { signal }: AbortOptions): AsyncGenerator<AnswerPart, void, undefined> {
    const { sessions, model, maxLength, logger } = this.#options
    const sampling = parseSampling(params)
    const length = parseLength(params)
    const stopRule = this.#parseStopRule(params)
    const prompt = promptTokens(model, this.#tokens, textParam(params, 'inputs'))
    assertFits(prompt.length, maxLength)
    this.#tokens = [...prompt]
    await using lease = await sessions.acquire(model, {
      tokens: prompt,
      maxLength,
      owner: this,
      signal,
      logger,
    })
    const request = { prompt, length, sampling, maxLength, signal }
    const tellsSwarm = wantsRoute(params)
    const receipt = new RouteReceipt(lease.session, tellsSwarm)
    const chunks = tellsSwarm
      ? withWaits({ signal }, (options) => generateChunks(model, lease.session, { ...request, ...options }))
      : generateChunks(model, lease.session, request)
    yield* this.#answer(chunks, stopRule, receipt)
  }

  async *#answer(
    chunks: AsyncIterable<readonly TokenId[] | WaitEvent>,
    stopRule: StopRule,
    receipt: RouteReceipt,
  ): AsyncGenerator<AnswerPart, void> {
    const longestStop = Math.max(
      0,
      ...[stopRule.sequence ?? '', ...stopRule.extraSequences].map(({ length }) => length),
    )
    let tail = ''
    let held: TokenId[] = []
    for await (const chunk of chunks) {
      if ('wait' in chunk) {
        yield { outputs: '', stop: false, token_count: 0, petals: waitNotice(chunk.wait, true).petals! }
        continue
      }
      this.#tokens.push(...chunk)
      held.push(...chunk)
      const outputs = this.#options.model.tokenizer.decode(held)
      const text = tail + outputs
      const stop = this.#endsAnswer(text, stopRule)
      if (!stop && endsIncomplete(outputs)) continue
      const petals = stop ? receipt.final() : receipt.changed()
      yield { outputs, stop, token_count: held.length, ...(petals && { petals }) }
      if (stop) return
      tail = longestStop === 0 ? '' : text.slice(-longestStop)
      held = []
    }
  }

  #endsAnswer(text: string, { sequence, extraSequences, token }: StopRule): boolean {
    const { dialogue } = this.#options.spec
    const atSequence =
      sequence === undefined || (dialogue?.stopAtStopToken !== false && text.endsWith(sequence))
    const atExtra = extraSequences.some((extra) => text.endsWith(extra))
    if (atExtra && token !== undefined) this.#tokens[this.#tokens.length - 1] = token
    return atSequence || atExtra
  }

  #parseStopRule(params: RawParams): StopRule {
    const sequence = textParam(params, 'stop_sequence')
    const extraSequences = textListParam(params, 'extra_stop_sequences')
    checkStopSequences([sequence ?? '', ...(extraSequences ?? [])])
    if (extraSequences === undefined) return { sequence, extraSequences: [], token: undefined }
    const [token, ...rest] = this.#options.model.tokenizer.encode(sequence ?? '')
    if (token !== undefined && rest.length === 0) return { sequence, extraSequences, token }
    throw new InvalidRequestError('extra_stop_sequences require stop_sequence length to be exactly 1 token', {
      param: 'stop_sequence',
      reason: 'invalid_value',
    })
  }
}

/** They are looked for at every token. */
function checkStopSequences(sequences: readonly string[]): void {
  if (sequences.length <= MAX_STOP_SEQUENCES && sequences.every(({ length }) => length <= MAX_STOP_LENGTH))
    return
  throw new InvalidRequestError(
    `stop_sequence and extra_stop_sequences may be ${MAX_STOP_SEQUENCES} texts of ${MAX_STOP_LENGTH} characters at most.`,
    { param: 'extra_stop_sequences', reason: 'invalid_value' },
  )
}

/** `"petals": {"route": true}`, as on /v1. */
function wantsRoute(params: RawParams): boolean {
  const petals = petalsRequestSchema.safeParse(params('petals'))
  return petals.data?.route ?? false
}

/** A replacement character near the end stands for a character whose bytes have not all come yet. */
function endsIncomplete(text: string): boolean {
  return text.includes('\ufffd') && [...text].slice(-HELD_BACK_CHARACTERS).includes('\ufffd')
}
