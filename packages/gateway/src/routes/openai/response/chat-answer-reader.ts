import type { ToolCall } from '@petals-chat/engine'
import { ReasoningSplitter } from './reasoning-splitter.ts'
import { ToolCallFinder, type ToolCallFinderOptions } from './tool-call-finder.ts'

/** A piece of a chat answer, as clients are told of it. Empty texts are left out. */
export type ChatPart =
  | { readonly type: 'content'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'tool-calls'; readonly calls: readonly ToolCall[] }

export interface ChatAnswerReaderOptions {
  /** `keep`: thoughts stay in the content; `open`: the answer begins with thoughts, without `<think>`. */
  readonly reasoning: 'keep' | 'split' | 'open'
  readonly tools?: ToolCallFinderOptions | undefined
}

/** Takes the text of an answer apart: thoughts, words, calls. */
export class ChatAnswerReader {
  readonly #reasoning: ReasoningSplitter | undefined
  readonly #calls: ToolCallFinder | undefined

  constructor({ reasoning, tools }: ChatAnswerReaderOptions) {
    this.#reasoning = reasoning === 'keep' ? undefined : new ReasoningSplitter({ open: reasoning === 'open' })
    this.#calls = tools && new ToolCallFinder(tools)
  }

  push(text: string): readonly ChatPart[] {
    const { reasoning, content } = this.#reasoning?.push(text) ?? { reasoning: '', content: text }
    return parts(reasoning, this.#calls?.push(content) ?? content)
  }

  finish(): readonly ChatPart[] {
    const { reasoning, content } = this.#reasoning?.finish() ?? { reasoning: '', content: '' }
    if (!this.#calls) return parts(reasoning, content)
    const words = this.#calls.push(content)
    const rest = this.#calls.finish()
    const calls = rest.toolCalls.length > 0 ? [{ type: 'tool-calls', calls: rest.toolCalls } as const] : []
    return [...parts(reasoning, words + rest.content), ...calls]
  }
}

function parts(reasoning: string, content: string): readonly ChatPart[] {
  const found: ChatPart[] = []
  if (reasoning !== '') found.push({ type: 'reasoning', text: reasoning })
  if (content !== '') found.push({ type: 'content', text: content })
  return found
}
