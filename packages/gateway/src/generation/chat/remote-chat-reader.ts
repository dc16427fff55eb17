import type { ChatFinishReason } from '@petals-chat/api'
import type { RemoteEndEvent, RemotePart, RemotePartsEvent } from '@petals-chat/engine'
import type { RemoteReader } from '../answer/answer-job.ts'
import type { ChatDelta, ChatTypes } from './chat-choice-reader.ts'
import { type ChatPart, contentPart } from './chat-part.ts'
import { ReasoningSplitter } from './reasoning-splitter.ts'

/** Reads an answer of another server. Servers that leave thoughts in the words, between `<think>` and `</think>`, are helped. */
export class RemoteChatReader implements RemoteReader<ChatTypes> {
  #splitter: ReasoningSplitter | undefined

  constructor({ keepsThoughts }: { readonly keepsThoughts: boolean }) {
    this.#splitter = keepsThoughts ? undefined : new ReasoningSplitter({ open: false })
  }

  push({ parts, tokens }: RemotePartsEvent): ChatDelta | undefined {
    return { parts: parts.flatMap((part) => this.#read(part)), tokens }
  }

  finish(): ChatDelta | undefined {
    const parts = this.#rest()
    return parts.length > 0 ? { parts, tokens: [] } : undefined
  }

  finishReason({ finishReason }: RemoteEndEvent): ChatFinishReason {
    return finishReason
  }

  /** A server that separates thoughts, or calls a function, has no thoughts among its later words. */
  #read(part: RemotePart): readonly ChatPart[] {
    if (part.type !== 'content') return [...this.#rest(), part]
    const split = this.#splitter?.push(part.text) ?? { reasoning: '', content: part.text }
    return partsOf(split)
  }

  #rest(): readonly ChatPart[] {
    const rest = this.#splitter?.finish()
    this.#splitter = undefined
    return rest === undefined ? [] : partsOf(rest)
  }
}

function partsOf({
  reasoning,
  content,
}: {
  readonly reasoning: string
  readonly content: string
}): readonly ChatPart[] {
  return reasoning === ''
    ? contentPart(content)
    : [{ type: 'reasoning', text: reasoning }, ...contentPart(content)]
}
