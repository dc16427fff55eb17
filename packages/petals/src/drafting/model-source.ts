import type { TokenId } from '@petals-chat/engine'
import { ModelAcceptance, type DraftOptions, type DraftSource } from '@petals-chat/engine/drafting'
import type { DraftModel } from './draft-model.ts'
import { DraftedText } from './drafted-text.ts'

/** Guesses what a small model on this machine would say. */
export class ModelSource implements DraftSource {
  readonly #model: DraftModel
  readonly #acceptance: ModelAcceptance
  #text: DraftedText | undefined
  /** Drafts that no token of the answer was compared with yet. */
  #unchecked: readonly TokenId[] = []
  #hasDrafted = false

  constructor(model: DraftModel) {
    this.#model = model
    this.#acceptance = new ModelAcceptance(() => model.usual)
  }

  get hasGuess(): boolean {
    return this.#text?.isUsable ?? false
  }

  get isReady(): boolean {
    return this.#text?.isReady ?? false
  }

  /** Resolves when nothing runs in the background. */
  get settled(): Promise<void> {
    return this.#text?.settled ?? Promise.resolve()
  }

  begin(prompt: readonly TokenId[]): void {
    this.#text = new DraftedText(this.#model, prompt)
    this.#hasDrafted = false
    // Where the last answer was made faster, it reads the prompt while the servers do.
    if (this.#model.wasUsed) this.#text.prepare()
  }

  end(): void {
    if (!this.#text) return
    this.#model.wasUsed = this.#hasDrafted
    this.#text.end()
    this.#text = undefined
    this.#unchecked = []
  }

  push(token: TokenId, isForced: boolean): void {
    const [guess] = this.#unchecked
    if (guess !== undefined) {
      const isRight = guess === token
      if (!isForced) this.#note(isRight)
      this.#unchecked = isRight ? this.#unchecked.slice(1) : []
    }
    this.#text?.push(token)
  }

  survival(count: number): Float64Array {
    return this.#acceptance.survival(count)
  }

  hope(count: number): Float64Array {
    return this.#acceptance.hope(count)
  }

  cost(count: number): number {
    return this.#text?.cost(count) ?? Infinity
  }

  prepare(): void {
    this.#text?.prepare()
  }

  async draft(count: number, options: DraftOptions): Promise<readonly TokenId[]> {
    this.#unchecked = (await this.#text?.draft(count, options)) ?? []
    this.#hasDrafted ||= this.#unchecked.length > 0
    return this.#unchecked
  }

  rest(): void {
    this.#acceptance.rest()
  }

  #note(isRight: boolean): void {
    this.#acceptance.note(isRight)
    this.#model.noteGuess(isRight)
  }
}
