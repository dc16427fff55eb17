import type { Message } from './types.ts'

/** The messages of one chat by id, with their order of creation kept in the tree's child lists. */
export interface MessageTree {
  readonly messages: ReadonlyMap<string, Message>
  /** Ids of the messages that follow each message, oldest first; first messages are under `null`. */
  readonly children: ReadonlyMap<string | null, readonly string[]>
}

export interface Siblings {
  /** Ids of all versions, oldest first. */
  readonly ids: readonly string[]
  /** Index of the given message, from 0. */
  readonly index: number
}

export const emptyTree: MessageTree = { messages: new Map(), children: new Map() }

/** Messages whose parent is missing (a half-written import, a cut write) become first messages rather than vanish. */
export function buildTree(messages: Iterable<Message>): MessageTree {
  const byId = new Map<string, Message>()
  for (const message of messages) byId.set(message.id, message)
  const children = new Map<string | null, string[]>()
  const sorted = [...byId.values()].sort(byAge)
  for (const message of sorted) {
    const parent = message.parentId !== null && byId.has(message.parentId) ? message.parentId : null
    const list = children.get(parent)
    if (list) list.push(message.id)
    else children.set(parent, [message.id])
  }
  return { messages: byId, children }
}

/** Adds a message or replaces the one with its id. */
export function withMessage(tree: MessageTree, message: Message): MessageTree {
  const messages = new Map(tree.messages).set(message.id, message)
  if (tree.messages.has(message.id)) return { messages, children: tree.children }
  // A restored message: its children were first messages meanwhile.
  if (tree.children.get(null)?.some((id) => messages.get(id)?.parentId === message.id))
    return buildTree(messages.values())
  const parent = message.parentId !== null && messages.has(message.parentId) ? message.parentId : null
  const siblings = [...(tree.children.get(parent) ?? [])]
  // Nearly always the last; a restored message goes to its old place.
  const after = siblings.findLastIndex((id) => byAge(messages.get(id)!, message) < 0)
  siblings.splice(after + 1, 0, message.id)
  return { messages, children: new Map(tree.children).set(parent, siblings) }
}

/** Removes messages with their descendants. */
export function withoutMessages(tree: MessageTree, ids: readonly string[]): MessageTree {
  const gone = new Set(ids.flatMap((id) => subtree(tree, id)))
  return buildTree([...tree.messages.values()].filter(({ id }) => !gone.has(id)))
}

/**
 * Returns the leaf to show when `id` and its descendants are gone: in the nearest other version, else the message
 * before.
 */
export function leafWithout(tree: MessageTree, id: string): string | null {
  const { ids, index } = siblingsOf(tree, id)
  const neighbour = ids[index - 1] ?? ids[index + 1]
  if (neighbour !== undefined) return newestLeaf(tree, neighbour)
  return tree.messages.get(id)?.parentId ?? null
}

/** Returns the messages from the first to `leafId`; the newest branch if the leaf is unknown. */
export function pathTo(tree: MessageTree, leafId: string | null): readonly Message[] {
  const start = leafId !== null && tree.messages.has(leafId) ? leafId : newestLeaf(tree, null)
  const path: Message[] = []
  const seen = new Set<string>()
  for (let id = start; id !== null && !seen.has(id);) {
    seen.add(id)
    const message = tree.messages.get(id)
    if (!message) break
    path.push(message)
    id = message.parentId
  }
  return path.reverse()
}

/** Follows the newest child from `id` to the end of the branch; returns `id` itself if nothing follows. */
export function newestLeaf(tree: MessageTree, id: string | null): string | null {
  let leaf = id
  const seen = new Set<string | null>()
  while (!seen.has(leaf)) {
    seen.add(leaf)
    const next = tree.children.get(leaf)?.at(-1)
    if (next === undefined) break
    leaf = next
  }
  return leaf
}

/** Returns all versions of a message: those with the same parent and role. */
export function siblingsOf(tree: MessageTree, id: string): Siblings {
  const message = tree.messages.get(id)
  if (!message) return { ids: [id], index: 0 }
  const parent = message.parentId !== null && tree.messages.has(message.parentId) ? message.parentId : null
  const ids = (tree.children.get(parent) ?? [id]).filter(
    (other) => tree.messages.get(other)?.role === message.role,
  )
  return { ids, index: Math.max(0, ids.indexOf(id)) }
}

/** Returns the leaf to show after stepping `offset` versions from message `id`; undefined at either end. */
export function leafOfSibling(tree: MessageTree, id: string, offset: number): string | undefined {
  const { ids, index } = siblingsOf(tree, id)
  const sibling = ids[index + offset]
  return sibling === undefined ? undefined : (newestLeaf(tree, sibling) ?? undefined)
}

/** Returns `id` and the ids of its descendants in every branch. */
export function subtree(tree: MessageTree, id: string): readonly string[] {
  const found = new Set<string>([id])
  for (const current of found) for (const child of tree.children.get(current) ?? []) found.add(child)
  return [...found]
}

function byAge(a: Message, b: Message): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
