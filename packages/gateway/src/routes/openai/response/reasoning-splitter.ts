import { heldBackLength } from './marker.ts'

const OPEN = '<think>'
const CLOSE = '</think>'

export interface SplitText {
  readonly reasoning: string
  readonly content: string
}

/** Where the answer is: before it is clear whether the model thinks, within its thoughts, just behind them, or past all that. */
type Place = 'start' | 'reasoning' | 'gap' | 'content'

/** Parts `<think>…</think>` at the start of an answer from the answer itself, as the text comes in. */
export class ReasoningSplitter {
  #place: Place
  #held = ''

  /** `open`: the prompt ended with `<think>`, so the answer begins in the middle of the thoughts. */
  constructor({ open }: { readonly open: boolean }) {
    this.#place = open ? 'reasoning' : 'start'
  }

  push(text: string): SplitText {
    this.#held += text
    if (this.#place === 'start') this.#begin()
    const reasoning = this.#place === 'reasoning' ? this.#think() : ''
    if (this.#place === 'gap') this.#skipGap()
    const content = this.#place === 'content' ? this.#take(this.#held.length) : ''
    return { reasoning, content }
  }

  /** What was held back. Thoughts that were never closed stay thoughts. */
  finish(): SplitText {
    const rest = this.#take(this.#held.length)
    if (this.#place === 'gap') return { reasoning: '', content: '' }
    return this.#place === 'reasoning' ? { reasoning: rest, content: '' } : { reasoning: '', content: rest }
  }

  #begin(): void {
    const text = this.#held.trimStart()
    if (text.startsWith(OPEN)) {
      this.#place = 'reasoning'
      this.#held = text.slice(OPEN.length).trimStart()
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

  /** The empty lines between thoughts and answer belong to neither. */
  #skipGap(): void {
    this.#held = this.#held.trimStart()
    if (this.#held !== '') this.#place = 'content'
  }

  #take(length: number): string {
    const taken = this.#held.slice(0, length)
    this.#held = this.#held.slice(length)
    return taken
  }
}
