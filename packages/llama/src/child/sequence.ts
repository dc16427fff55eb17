import type { TokenId } from '@petals-chat/engine'
import type { NativeContext } from './native.ts'

/** One slot of the context: the tokens whose keys and values it holds. */
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

  /** Called by the scheduler when a step has computed them. */
  append(tokens: readonly TokenId[]): void {
    for (const token of tokens) this.#tokens.push(token)
  }

  /**
   * Forgets everything behind the first `length` tokens. Some kinds of model can only forget all (recurrent ones): then
   * the tokens to keep are given back, for the caller to compute anew.
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
