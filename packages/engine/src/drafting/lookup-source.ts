import type { TokenId } from '../tokenizer.ts'
import { Acceptance } from './acceptance.ts'
import type { DraftSource } from './draft-source.ts'
import { PromptLookup } from './prompt-lookup.ts'

/** Tokens of the prompt that stand before its prediction: as many as a match needs to be trusted. */
const lead = 8

/** Guesses from the text itself. What it has learnt from an answer serves the later ones, too. */
export class LookupSource implements DraftSource {
  readonly #acceptance = new Acceptance()
  #lookup: PromptLookup | undefined

  get hasGuess(): boolean {
    return (this.#lookup?.matched ?? 0) > 0
  }

  get isReady(): boolean {
    return this.hasGuess
  }

  begin(prompt: readonly TokenId[], prediction: readonly TokenId[]): void {
    this.#lookup = new PromptLookup(textToSearch(prompt, prediction))
  }

  end(): void {
    this.#lookup = undefined
  }

  push(token: TokenId, isForced: boolean): void {
    const lookup = this.#lookup
    if (!lookup) return
    const { guess, matched } = lookup
    if (guess !== undefined && !isForced) this.#acceptance.note(matched, guess === token)
    lookup.push(token)
  }

  survival(count: number): Float64Array {
    return this.#acceptance.survival(this.#lookup?.matched ?? 0, count)
  }

  /** Every guess is compared, so there is nothing to try. */
  hope(count: number): Float64Array {
    return this.survival(count)
  }

  /** Some microseconds. */
  cost(): number {
    return 0
  }

  prepare(): void {}

  draft(count: number): readonly TokenId[] {
    return this.#lookup?.draft(count) ?? []
  }

  /** Its guesses are compared with every token, whether they were drafted or not. */
  rest(): void {}
}

/** A prediction stands where an answer to the prompt would stand, so that it is what followed its last tokens before. */
const textToSearch = (prompt: readonly TokenId[], prediction: readonly TokenId[]): readonly TokenId[] =>
  prediction.length === 0 ? prompt : [...prompt.slice(-lead), ...prediction, ...prompt]
