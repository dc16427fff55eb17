import type { TokenId } from '@petals-chat/engine'
import type { RoundResult } from '@petals-chat/engine/drafting'

/** One step of a session, with the tokens that are chosen by its outputs. */
export class Round implements RoundResult {
  readonly known: number
  readonly draftMs: number
  readonly #drafts: readonly TokenId[]
  #accepted = 0
  #isOver = false
  #chosen = 0
  #ms = 0
  #since: number | undefined = performance.now()

  /** @param draftMs - what it took to make the drafts */
  constructor(known: number, drafts: readonly TokenId[], draftMs: number) {
    this.known = known
    this.#drafts = drafts
    this.draftMs = draftMs
  }

  get drafted(): number {
    return this.#drafts.length
  }

  /** Drafts that are what followed. */
  get accepted(): number {
    return this.#accepted
  }

  /** Tokens that the model was asked for. */
  get chosen(): number {
    return this.#chosen
  }

  /** Without the caller's time. */
  get ms(): number {
    return this.#ms + (this.#since === undefined ? 0 : performance.now() - this.#since)
  }

  emit(token: TokenId, isForced: boolean): void {
    this.#ms = this.ms
    this.#since = undefined
    if (!isForced) this.#chosen += 1
    if (token !== this.#drafts[this.#accepted]) this.#isOver = true
    if (!this.#isOver) this.#accepted += 1
  }

  resume(): void {
    this.#since = performance.now()
  }
}
