import type { DraftCount, Metrics, TokenId } from '@petals-chat/engine'
import { stepWidths, type RoundTimes } from '@petals-chat/engine/drafting'
import type { Drafter } from '../drafting/drafter.ts'
import type { RouteTimes } from '../drafting/route-times.ts'
import type { InferenceSession } from '../inference/inference-session.ts'
import { Round } from './round.ts'

/** Logits that one step computes, at most: their estimates take 8 MB. */
const mostLogits = 2 ** 22

export interface SpeculationOptions {
  /** Undefined: nothing is guessed. */
  readonly createDrafter: (() => Drafter) | undefined
  /** Of all sessions of the model. */
  readonly times: RouteTimes
  readonly metrics: Metrics
}

interface SpeculationContext extends SpeculationOptions {
  readonly model: string
  readonly inference: Pick<InferenceSession, 'rewindableTokens' | 'failovers' | 'route' | 'pushed'>
  readonly vocabularySize: number
}

/**
 * Speculative decoding of one session: drafts for its steps, as far as the servers of its route can rewind, and the count of
 * what came of them. `PetalsSession.generate` reports to it what it does.
 */
export class Speculation {
  readonly #context: SpeculationContext
  readonly #drafter: Drafter | undefined
  readonly #mostRows: number
  readonly #outcomes
  #count: DraftCount = { accepted: 0, rejected: 0 }
  /** Of the present answer. */
  #answer = { steps: 0, tokens: 0, drafted: 0 }
  #round: Round | undefined
  /** What it took to make the drafts of the next round. */
  #draftMs = 0
  /** The newest failover when the step began. */
  #failover: unknown

  constructor(context: SpeculationContext) {
    this.#context = context
    this.#drafter = context.createDrafter?.()
    this.#mostRows = Math.max(4, Math.floor(mostLogits / context.vocabularySize))
    this.#outcomes = context.metrics.counter({
      name: 'petals_draft_tokens_total',
      help: 'Tokens that were guessed in advance, by what the model made of them: accepted or rejected.',
      labels: ['model', 'outcome'],
    })
  }

  /** Of all answers of the session. */
  get count(): DraftCount {
    return this.#count
  }

  /** Tokens that a step of the present answer has brought, on average; undefined if nothing was drafted. */
  get tokensPerStep(): number | undefined {
    const { steps, tokens, drafted } = this.#answer
    return drafted > 0 ? tokens / steps : undefined
  }

  /** Begins an answer. */
  begins(): void {
    this.#answer = { steps: 0, tokens: 0, drafted: 0 }
  }

  /** Reads the prompt of the answer, and what the answer may repeat. That may take a few milliseconds. */
  reads(prompt: readonly TokenId[], prediction: readonly TokenId[] = []): void {
    this.#drafter?.begin(prompt, prediction)
  }

  /** Begins a round: a step of `known` tokens and drafts after them. */
  starts(known: number, drafts: readonly TokenId[]): void {
    this.#failover = this.#context.inference.failovers.at(-1)
    this.#round = new Round(known, drafts, this.#draftMs)
    this.#answer.steps += 1
    this.#answer.drafted += drafts.length
  }

  /** Notes that a token will be given to the caller, whose time does not count. `isForced`: without asking the model. */
  emits(token: TokenId, isForced: boolean): void {
    this.#round?.emit(token, isForced)
    this.#answer.tokens += 1
    this.#drafter?.push(token, isForced)
  }

  /** The caller asks for the next token. */
  resumes(): void {
    this.#round?.resume()
  }

  /** Ends a round. Its time tells how long such rounds take, unless it ran a prompt, or servers were replaced or awaited. */
  ends(isUsual: boolean): void {
    const round = this.#takeRound()
    if (!round || !isUsual || this.#failover !== this.#context.inference.failovers.at(-1)) return
    this.#drafter?.settle(round, this.#times)
  }

  /** Ends the answer, perhaps within a round. */
  stops(): void {
    this.#takeRound()
    this.#drafter?.end()
  }

  /**
   * Returns drafts for a step that runs `known` tokens in any case. `room`: the most that fit after them, into the session and
   * into the answer. Ends early when the signal aborts, without an error.
   */
  async draft(known: number, room: number, signal: AbortSignal | undefined): Promise<readonly TokenId[]> {
    this.#draftMs = 0
    const { inference } = this.#context
    if (!this.#drafter?.hasGuess) return []
    const fits = Math.min(inference.rewindableTokens() - known, room, this.#mostRows - 1, stepWidths.at(-1)!)
    if (fits < 1) return []
    const started = performance.now()
    const drafts = await this.#drafter.draft({ known, most: fits, times: this.#times, signal })
    this.#draftMs = performance.now() - started
    return drafts
  }

  /** Counts what came of the drafts. */
  #takeRound(): Round | undefined {
    const round = this.#round
    this.#round = undefined
    if (!round || round.drafted === 0) return round
    const rejected = round.drafted - round.accepted
    this.#count = {
      accepted: this.#count.accepted + round.accepted,
      rejected: this.#count.rejected + rejected,
    }
    const { model } = this.#context
    this.#outcomes.add(round.accepted, { model, outcome: 'accepted' })
    this.#outcomes.add(rejected, { model, outcome: 'rejected' })
    return round
  }

  get #times(): RoundTimes {
    const { times, inference } = this.#context
    const hops = inference.route.map(({ peer, start, end }) => `${peer} ${start}:${end}`)
    return times.of(`${inference.pushed ? 'pushed ' : ''}${hops.join(' ')}`)
  }
}
