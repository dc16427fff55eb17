import { heldBackLength } from './marker.ts'

const OPEN = '<think>'
const CLOSE = '</think>'

export interface SplitText {
  readonly reasoning: string
  readonly content: string
}

/** `start`: it is not known yet whether the model thinks. `lead`, `gap`: the white space before and after the thoughts. */
type Place = 'start' | 'lead' | 'reasoning' | 'gap' | 'content'

/** Separates `<think>…</think>` at the start of an answer from the answer itself, as the text arrives. */
export class ReasoningSplitter {
  #place: Place
  #held = ''

  /** `open`: the prompt ended with `<think>`, so the answer begins in the middle of the thoughts. */
  constructor({ open }: { readonly open: boolean }) {
    this.#place = open ? 'lead' : 'start'
  }

  push(text: string): SplitText {
    this.#held += text
    if (this.#place === 'start') this.#begin()
    if (this.#place === 'lead') this.#skipSpace('reasoning')
    const reasoning = this.#place === 'reasoning' ? this.#think() : ''
    if (this.#place === 'gap') this.#skipSpace('content')
    const content = this.#place === 'content' ? this.#take(this.#held.length) : ''
    return { reasoning, content }
  }

  /** The text that was held back. Thoughts that were never closed stay thoughts. */
  finish(): SplitText {
    const rest = this.#take(this.#held.length)
    return this.#place === 'reasoning' ? { reasoning: rest, content: '' } : { reasoning: '', content: rest }
  }

  #begin(): void {
    const text = this.#held.trimStart()
    if (text.startsWith(OPEN)) {
      this.#place = 'lead'
      this.#held = text.slice(OPEN.length)
    } else if (!OPEN.startsWith(text)) this.#place = 'content'
  }

  #think(): string {
    const end = this.#held.indexOf(CLOSE)
    if (end === -1) return this.#take(this.#held.length - heldBackLength(this.#held, CLOSE))
    const reasoning = this.#take(end)
    this.#held = this.#held.slice(CLOSE.length)
    this.#place = 'gap'
    return reasoning
  }

  /** Drops the white space around the thoughts. */
  #skipSpace(next: Place): void {
    this.#held = this.#held.trimStart()
    if (this.#held !== '') this.#place = next
  }

  #take(length: number): string {
    const taken = this.#held.slice(0, length)
    this.#held = this.#held.slice(length)
    return taken
  }
}
