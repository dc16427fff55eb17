import { createId } from './id.ts'
import { stopCalls } from './tool-calls.ts'
import { sides, type Chat, type Message, type Side } from './types.ts'

/** Reports whether a chat is in the list, and not a side of a comparison. */
export function isListed({ compared }: Pick<Chat, 'compared'>): boolean {
  return compared === undefined
}

/** Returns the chat of a side: the newest if two tabs began a comparison at the same time. */
export function sideOf(chats: Iterable<Chat>, side: Side): Chat | undefined {
  let found: Chat | undefined
  for (const chat of chats)
    if (chat.compared === side && (!found || chat.createdAt >= found.createdAt)) found = chat
  return found
}

export function otherSide(side: Side): Side {
  return sides[side === 'a' ? 1 : 0]
}

/** Copies the messages of a branch for another chat, with new ids. */
export function copyBranch(path: readonly Message[], chatId: string): readonly Message[] {
  const ids = new Map(path.map(({ id }) => [id, createId()] as const))
  return path.map((message) => ({
    ...message,
    id: ids.get(message.id)!,
    chatId,
    parentId: ids.get(message.parentId ?? '') ?? null,
    status: message.status === 'streaming' ? 'interrupted' : message.status,
    position: undefined,
    calls: message.calls && stopCalls(message.calls),
    leftOut: message.leftOut && {
      ...message.leftOut,
      firstSeenId: ids.get(message.leftOut.firstSeenId) ?? message.leftOut.firstSeenId,
    },
  }))
}
