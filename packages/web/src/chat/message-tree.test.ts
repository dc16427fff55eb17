import { describe, expect, it } from 'vitest'
import {
  buildTree,
  leafOfSibling,
  leafWithout,
  pathTo,
  siblingsOf,
  subtree,
  withMessage,
  withoutMessages,
} from './message-tree.ts'
import type { Message } from './types.ts'

let time = 0
function message(id: string, parentId: string | null, role: Message['role'] = 'user'): Message {
  return { id, chatId: 'c', parentId, role, content: id, createdAt: time++, status: 'done' }
}

/** Two versions of the first question; the first has three answers, the second of which was followed up. */
const all = [
  message('q1', null),
  message('a1', 'q1', 'assistant'),
  message('a2', 'q1', 'assistant'),
  message('q2', 'a2'),
  message('b1', 'q2', 'assistant'),
  message('a3', 'q1', 'assistant'),
  message('q1b', null),
  message('c1', 'q1b', 'assistant'),
]
const tree = buildTree(all)
const ids = (leaf: string | null, of = tree) => pathTo(of, leaf).map(({ id }) => id)

describe('the tree of messages', () => {
  it('returns the branch that ends in a leaf, or the newest branch', () => {
    expect(ids('b1')).toEqual(['q1', 'a2', 'q2', 'b1'])
    expect(ids('a2')).toEqual(['q1', 'a2'])
    expect(ids(null)).toEqual(['q1b', 'c1'])
    expect(ids('unknown')).toEqual(['q1b', 'c1'])
  })

  it('counts versions of the same role', () => {
    expect(siblingsOf(tree, 'a2')).toEqual({ ids: ['a1', 'a2', 'a3'], index: 1 })
    expect(siblingsOf(tree, 'q1b')).toEqual({ ids: ['q1', 'q1b'], index: 1 })
  })

  it('moves to the newest end of another version, and not past the last one', () => {
    expect(leafOfSibling(tree, 'a1', 1)).toBe('b1')
    expect(leafOfSibling(tree, 'a3', 1)).toBeUndefined()
    expect(leafOfSibling(tree, 'q1b', -1)).toBe('a3')
  })

  it('is the same when it is built message by message, in any order with parents first', () => {
    const grown = all.reduce(withMessage, buildTree([]))
    expect(grown.children).toEqual(tree.children)
  })

  it('removes messages with their descendants, and puts them back in their places', () => {
    const gone = subtree(tree, 'a2')
    expect(gone.toSorted()).toEqual(['a2', 'b1', 'q2'])
    const rest = withoutMessages(tree, gone)
    expect(siblingsOf(rest, 'a1').ids).toEqual(['a1', 'a3'])
    expect(gone.map((id) => tree.messages.get(id)!).reduce(withMessage, rest).children).toEqual(tree.children)
  })

  it('shows the nearest remaining version, else the message before', () => {
    expect(leafWithout(tree, 'a3')).toBe('b1')
    expect(leafWithout(tree, 'a1')).toBe('b1')
    expect(leafWithout(tree, 'b1')).toBe('q2')
    expect(leafWithout(buildTree([all[0]!]), 'q1')).toBeNull()
  })

  it('survives parents that are missing or go in circles', () => {
    const broken = buildTree([message('x', 'missing'), { ...message('y', 'z') }, { ...message('z', 'y') }])
    expect(ids('x', broken)).toEqual(['x'])
    expect(ids('y', broken)).toEqual(['z', 'y'])
    expect(subtree(broken, 'y').toSorted()).toEqual(['y', 'z'])
  })
})
