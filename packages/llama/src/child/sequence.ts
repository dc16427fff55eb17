import type { TokenId } from '@petals-chat/engine'
import type { NativeContext } from './native.ts'

/** One slot of the context, with the tokens whose keys and values it holds. */
export class Sequence {
  readonly id: number
  readonly #context: NativeContext
  #tokens: TokenId[] = []

  constructor(id: number, context: NativeContext) {
    this.id = id
    this.#context = context
  }

  get tokens(): readonly TokenId[] {
    return this.#tokens
  }

  /** Called by the scheduler when a step has computed the tokens. */
  append(tokens: readonly TokenId[]): void {
    for (const token of tokens) this.#tokens.push(token)
  }

  /**
   * Drops everything after the first `length` tokens. Some kinds of model (recurrent ones) can only drop everything: then the
   * tokens to keep are returned, and the caller computes them again.
   */
  truncate(length: number): readonly TokenId[] {
    if (length >= this.#tokens.length) return []
    if (length > 0 && this.#context.removeTokenCellsFromSequence(this.id, length, -1)) {
      this.#tokens.length = length
      return []
    }
    const kept = this.#tokens.slice(0, length)
    this.clear()
    return kept
  }

  clear(): void {
    this.#tokens = []
    this.#context.disposeSequence(this.id)
  }
}
