import type { TokenId } from '@petals-chat/engine'
import {
  DraftPolicy,
  type DraftSource,
  type RoundResult,
  type RoundTimes,
} from '@petals-chat/engine/drafting'

/** What may be drafted now. */
export interface DraftRequest {
  /** Tokens that the next step runs in any case. */
  readonly known: number
  /** The most drafts. */
  readonly most: number
  readonly times: RoundTimes
  /** Ends drafting early, without an error. */
  readonly signal?: AbortSignal | undefined
}

/** Guesses the tokens of the answers of one session, one answer at a time. */
export interface Drafter extends Pick<DraftSource, 'hasGuess' | 'begin' | 'end' | 'push'> {
  /** Returns guesses of the tokens that follow, at most as many as asked for; none where they would not pay. */
  draft(request: DraftRequest): readonly TokenId[] | Promise<readonly TokenId[]>
  /** Learns from a round, also from one without drafts. */
  settle(result: RoundResult, times: RoundTimes): void
}

/** Drafts that are late may cost this share of a plain round. */
const mostDelay = 0.5

/** Drafts in each round from the source, and as many tokens, as make decoding fastest; none where none would. */
export class ChoosingDrafter implements Drafter {
  readonly #sources: readonly DraftSource[]
  readonly #policy = new DraftPolicy<DraftSource>()
  /** The source of the present round's drafts. */
  #used: DraftSource | undefined

  constructor(sources: readonly DraftSource[]) {
    this.#sources = sources
  }

  get hasGuess(): boolean {
    return this.#sources.some(({ hasGuess }) => hasGuess)
  }

  begin(prompt: readonly TokenId[], prediction: readonly TokenId[]): void {
    for (const source of this.#sources) source.begin(prompt, prediction)
  }

  end(): void {
    for (const source of this.#sources) source.end()
  }

  push(token: TokenId, isForced: boolean): void {
    for (const source of this.#sources) source.push(token, isForced)
  }

  draft({ known, most, times, signal }: DraftRequest): readonly TokenId[] | Promise<readonly TokenId[]> {
    this.#used = undefined
    if (most < 1) return []
    let sources = this.#sources.filter(({ hasGuess }) => hasGuess)
    let choice = this.#policy.choose({ known, most, times, sources })
    while (choice && !choice.source.isReady) {
      const { source } = choice
      source.prepare()
      sources = sources.filter((each) => each !== source)
      choice = this.#policy.choose({ known, most, times, sources })
    }
    if (!choice) return []
    this.#used = choice.source
    const { source, count } = choice
    return source.draft(count, { signal, limitMs: source.cost(count) + times.of(known)! * mostDelay })
  }

  settle(result: RoundResult, times: RoundTimes): void {
    for (const source of this.#sources) if (source !== this.#used) source.rest()
    this.#policy.settle(result, times)
  }
}
