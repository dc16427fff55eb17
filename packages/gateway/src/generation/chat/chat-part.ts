import type { ToolCall } from '@petals-chat/engine'

/** A piece of a chat answer, as clients receive it. No text is empty. */
export type ChatPart =
  | { readonly type: 'content'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  /** A call begins; calls of one answer count from 0. */
  | { readonly type: 'tool-call'; readonly index: number; readonly id: string; readonly name: string }
  | { readonly type: 'tool-arguments'; readonly index: number; readonly text: string }

/** Separates the text of an answer into parts as it arrives. */
export interface ChatPartReader {
  push(text: string): readonly ChatPart[]
  /** The parts that were held back. */
  finish(): readonly ChatPart[]
}

export function contentPart(text: string): readonly ChatPart[] {
  return text === '' ? [] : [{ type: 'content', text }]
}

/** @param first - the index of the first call in the answer */
export function callParts(calls: readonly ToolCall[], first = 0): readonly ChatPart[] {
  return calls.flatMap(({ id, name, arguments: text }, place): readonly ChatPart[] => {
    const index = first + place
    return [
      { type: 'tool-call', index, id, name },
      { type: 'tool-arguments', index, text },
    ]
  })
}
