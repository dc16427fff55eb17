import { type ChatPart, type ChatPartReader, contentPart } from './chat-part.ts'
import { ForcedCallReader } from './forced-call-reader.ts'
import { ReasoningSplitter, type SplitText } from './reasoning-splitter.ts'
import { ToolCallFinder, type ToolCallFinderOptions } from './tool-call-finder.ts'

export interface ChatAnswerReaderOptions {
  /** `keep`: thoughts stay in the content; `open`: the answer begins within thoughts, without `<think>`. */
  readonly reasoning: 'keep' | 'split' | 'open'
  readonly tools?: ToolCallFinderOptions | undefined
}

/** Separates the text of an answer into thoughts, words and calls. */
export class ChatAnswerReader implements ChatPartReader {
  readonly #reasoning: ReasoningSplitter | undefined
  readonly #calls: ChatPartReader | undefined

  constructor({ reasoning, tools }: ChatAnswerReaderOptions) {
    this.#reasoning = reasoning === 'keep' ? undefined : new ReasoningSplitter({ open: reasoning === 'open' })
    this.#calls = tools && callReader(tools)
  }

  push(text: string): readonly ChatPart[] {
    return this.#partsOf(this.#reasoning?.push(text) ?? { reasoning: '', content: text })
  }

  finish(): readonly ChatPart[] {
    const rest = this.#reasoning?.finish() ?? { reasoning: '', content: '' }
    return [...this.#partsOf(rest), ...(this.#calls?.finish() ?? [])]
  }

  #partsOf({ reasoning, content }: SplitText): readonly ChatPart[] {
    const answer = this.#calls?.push(content) ?? contentPart(content)
    return reasoning === '' ? answer : [{ type: 'reasoning', text: reasoning }, ...answer]
  }
}

const callReader = (options: ToolCallFinderOptions): ChatPartReader =>
  options.forced && !options.parallel ? new ForcedCallReader(options.tools) : new ToolCallFinder(options)
