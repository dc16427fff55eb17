import type { GeneratedToken } from '../engine.ts'
import type { Tokenizer } from '../tokenizer.ts'
import { Detokenizer, type DecodedText } from './detokenizer.ts'
import type { TextDeltaEvent } from './generate-text.types.ts'
import { StopMatcher } from './stop-matcher.ts'

export interface AnswerTextOptions {
  /** Texts that end the answer. */
  readonly stop: readonly string[]
  /** Default true. */
  readonly skipSpecialTokens?: boolean | undefined
}

/** Tokens whose text begins at `start` (UTF-16 units from the beginning of the answer). */
interface Segment {
  readonly start: number
  readonly length: number
  readonly tokens: readonly GeneratedToken[]
}

/** The text of one answer while it is generated: whole characters, no stop sequences, each token with the text it produced. */
export class AnswerText {
  readonly #detokenizer: Detokenizer
  readonly #matcher: StopMatcher
  #segments: Segment[] = []
  #decodedLength = 0
  #releasedLength = 0
  #stop: string | undefined

  constructor(tokenizer: Tokenizer, options: AnswerTextOptions) {
    const { stop, skipSpecialTokens = true } = options
    this.#detokenizer = new Detokenizer(tokenizer, { skipSpecialTokens })
    this.#matcher = new StopMatcher(stop)
  }

  /** The stop sequence that ended the answer. */
  get stop(): string | undefined {
    return this.#stop
  }

  push(token: GeneratedToken): TextDeltaEvent | undefined {
    const decoded = this.#detokenizer.push(token)
    return decoded && this.#delta(this.#match(decoded))
  }

  /** Returns the text held back after the last token: none if a stop sequence was met before. One may still be met here. */
  finish(): TextDeltaEvent | undefined {
    if (this.#stop !== undefined) return undefined
    const decoded = this.#detokenizer.flush()
    const text = decoded ? this.#match(decoded) : ''
    return this.#delta(this.#stop === undefined ? text + this.#matcher.flush() : text)
  }

  #match({ text, tokens }: DecodedText): string {
    this.#segments.push({ start: this.#decodedLength, length: text.length, tokens })
    this.#decodedLength += text.length
    const match = this.#matcher.push(text)
    this.#stop = match.stop
    return match.text
  }

  /** Releases `text` with the tokens whose text begins in it. */
  #delta(text: string): TextDeltaEvent | undefined {
    this.#releasedLength += text.length
    const waiting = this.#segments.findIndex(
      ({ start, length }) => start + Math.min(length, 1) > this.#releasedLength,
    )
    const reached = this.#segments.splice(0, waiting === -1 ? this.#segments.length : waiting)
    const tokens = reached.flatMap((segment) => segment.tokens)
    return text === '' && tokens.length === 0 ? undefined : { type: 'text-delta', text, tokens }
  }
}
