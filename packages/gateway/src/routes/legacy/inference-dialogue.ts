import { type AnswerPart, type PetalsBody, petalsRequestSchema } from '@petals-chat/api'
import {
  InvalidRequestError,
  type Logger,
  type Model,
  type ModelSpec,
  type TokenId,
  type WaitEvent,
  withWaits,
} from '@petals-chat/engine'
import type { Claim, SessionPool } from '../../context.ts'
import type { Substitute } from '../../generation/answer/fallback.ts'
import { untilTurn } from '../../generation/answer/until-turn.ts'
import { asksForRoute, SwarmReport } from '../../swarm/swarm-report.ts'
import type { CountedRequest } from './begin-request.ts'
import { assertFits, generateChunks, promptTokens } from './generate-chunks.ts'
import { parseLength, parseSampling } from './generate-params.ts'
import { type RawParams, textListParam, textParam } from './python-values.ts'

/** Characters at the end of a text in which the original searches for an incomplete character. */
const HELD_BACK_CHARACTERS = 10

/** More than any known client sends. */
const MAX_STOP_SEQUENCES = 100
const MAX_STOP_LENGTH = 1_000

/** The model that answers in a session. */
export interface Speaker {
  readonly spec: ModelSpec
  readonly model: Model
  /** The greatest length of all inputs and answers together, in tokens. */
  readonly maxLength: number
  /** Undefined: it is the model that was asked for. */
  readonly standsIn: Pick<Substitute, 'told' | 'refusedBoth'> | undefined
}

export interface InferenceDialogueOptions {
  readonly sessions: SessionPool
  readonly speaker: Speaker
  /** Returns the fallback of a model that failed with this error. @throws the error if there is none */
  readonly substitute: (error: unknown, signal: AbortSignal) => Promise<Speaker>
  readonly account: string
  readonly logger: Logger
  /** Begins to count one `generate` message. @throws RateLimitError */
  readonly begin: () => Promise<CountedRequest>
}

/** Until when a message is answered, and who reads the answer. */
type DialogueClaim = Pick<Claim, 'reader'> & { readonly signal: AbortSignal }

interface StopRule {
  /** Undefined: the first part is the whole answer. */
  readonly sequence: string | undefined
  readonly extraSequences: readonly string[]
  /** Replaces the answer's last token when an extra sequence ends it. */
  readonly token: TokenId | undefined
}

/**
 * The inference session of one connection. Between answers, the pool keeps its KV cache for this dialogue. If other
 * clients need the space, the pool closes it, and the next answer begins with running the tokens again.
 */
export class InferenceDialogue {
  readonly #options: InferenceDialogueOptions
  #speaker: Speaker
  /** All inputs and answers before this message, as the client knows them. */
  #text = ''
  /** A part of the answer to this message was sent. */
  #hasBegun = false
  /** All inputs and answers so far. The model has not processed the last token yet. */
  #tokens: TokenId[] = []

  constructor(options: InferenceDialogueOptions) {
    this.#options = options
    this.#speaker = options.speaker
  }

  /** Prewarms a session for the first message. */
  async prewarm(): Promise<void> {
    const { sessions, account, logger } = this.#options
    const { model, maxLength } = this.#speaker
    await sessions.prewarm(model, { maxLength, owner: this, account, logger })
  }

  /**
   * Answers one `generate` message in parts; with a stop sequence, until the answer ends with it. Where the fallback of the
   * model answers, it does so for the rest of the session.
   */
  async *generate(params: RawParams, claim: DialogueClaim): AsyncGenerator<AnswerPart, void, undefined> {
    using counted = await this.#options.begin()
    this.#hasBegun = false
    try {
      yield* this.#spoken(params, claim, counted)
    } catch (error) {
      if (this.#hasBegun || this.#speaker.standsIn !== undefined) throw error
      await this.#changeSpeaker(error, claim.signal)
      yield* this.#spoken(params, claim, counted)
    }
  }

  /** The new one has other tokens. */
  async #changeSpeaker(error: unknown, signal: AbortSignal): Promise<void> {
    this.#speaker = await this.#options.substitute(error, signal)
    this.#tokens = this.#text === '' ? [] : [...this.#speaker.model.tokenizer.encode(this.#text)]
  }

  /** The parts of an answer. The first and the last one say which fallback has written it: the others name no model. */
  async *#spoken(
    params: RawParams,
    claim: DialogueClaim,
    counted: CountedRequest,
  ): AsyncGenerator<AnswerPart, void, undefined> {
    const { spec, standsIn } = this.#speaker
    let text = textParam(params, 'inputs') ?? ''
    try {
      for await (const part of this.#parts(params, claim, counted)) {
        const isFirst = part.token_count > 0 && !this.#hasBegun
        this.#hasBegun ||= isFirst
        text += part.outputs
        if (standsIn === undefined || !(isFirst || part.stop)) yield part
        else yield { ...part, model: spec.id, petals: { ...part.petals, fallback: standsIn.told } }
      }
    } catch (error) {
      throw standsIn === undefined || this.#hasBegun ? error : standsIn.refusedBoth(error)
    }
    this.#text += text
  }

  async *#parts(
    params: RawParams,
    { signal, reader }: DialogueClaim,
    counted: CountedRequest,
  ): AsyncGenerator<AnswerPart, void, undefined> {
    const { sessions, account, logger } = this.#options
    const { model, maxLength } = this.#speaker
    const sampling = parseSampling(params)
    const length = parseLength(params)
    const stopRule = this.#parseStopRule(params)
    const prompt = promptTokens(model, this.#tokens, textParam(params, 'inputs'))
    assertFits(prompt.length, maxLength)
    this.#tokens = [...prompt]
    const wantsRoute = asksForRoute(petalsRequestSchema.safeParse(params('petals')).data)
    const acquire = (options: Partial<Claim>) =>
      sessions.acquire(model, {
        tokens: prompt,
        maxLength,
        owner: this,
        account,
        allowance: counted.allowance,
        signal,
        logger,
        reader,
        ...options,
      })
    await using lease = wantsRoute ? yield* untilTurn(signal, acquire, toPart) : await acquire({})
    const request = { prompt, length, sampling, maxLength, signal }
    const report = new SwarmReport(lease.session, wantsRoute)
    const chunks = wantsRoute
      ? withWaits({ signal }, (options) => generateChunks(model, lease.session, { ...request, ...options }))
      : generateChunks(model, lease.session, request)
    yield* this.#answer(chunks, stopRule, report)
  }

  async *#answer(
    chunks: AsyncIterable<readonly TokenId[] | WaitEvent>,
    stopRule: StopRule,
    report: SwarmReport,
  ): AsyncGenerator<AnswerPart, void> {
    const longestStop = Math.max(
      0,
      ...[stopRule.sequence ?? '', ...stopRule.extraSequences].map(({ length }) => length),
    )
    let tail = ''
    let unsent: TokenId[] = []
    for await (const chunk of chunks) {
      if ('wait' in chunk) {
        yield toPart({ petals: report.wait(chunk.wait).petals! })
        continue
      }
      this.#tokens.push(...chunk)
      unsent.push(...chunk)
      const outputs = this.#speaker.model.tokenizer.decode(unsent)
      const text = tail + outputs
      const stop = this.#endsAnswer(text, stopRule)
      if (!stop && endsIncomplete(outputs)) continue
      const petals = stop ? report.final() : report.changed()
      yield { outputs, stop, token_count: unsent.length, ...(petals && { petals }) }
      if (stop) return
      tail = longestStop === 0 ? '' : text.slice(-longestStop)
      unsent = []
    }
  }

  #endsAnswer(text: string, { sequence, extraSequences, token }: StopRule): boolean {
    const { dialogue } = this.#speaker.spec
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
    const [token, ...rest] = this.#speaker.model.tokenizer.encode(sequence ?? '')
    if (token !== undefined && rest.length === 0) return { sequence, extraSequences, token }
    throw new InvalidRequestError('extra_stop_sequences require stop_sequence length to be exactly 1 token', {
      param: 'stop_sequence',
      reason: 'invalid_value',
    })
  }
}

/** Bounds the stop sequences, because the answer is compared with them at every token. */
function checkStopSequences(sequences: readonly string[]): void {
  if (sequences.length <= MAX_STOP_SEQUENCES && sequences.every(({ length }) => length <= MAX_STOP_LENGTH))
    return
  throw new InvalidRequestError(
    `stop_sequence and extra_stop_sequences can be at most ${MAX_STOP_SEQUENCES} texts of ${MAX_STOP_LENGTH} characters.`,
    { param: 'extra_stop_sequences', reason: 'invalid_value' },
  )
}

/** A replacement character near the end stands for a character whose bytes are not complete yet. */
function endsIncomplete(text: string): boolean {
  return text.includes('\ufffd') && [...text].slice(-HELD_BACK_CHARACTERS).includes('\ufffd')
}

/** A part that tells of a wait. */
const toPart = ({ petals }: { readonly petals: PetalsBody }): AnswerPart => ({
  outputs: '',
  stop: false,
  token_count: 0,
  petals,
})
