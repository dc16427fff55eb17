import { expect, it } from 'vitest'
import { groupChats } from './chat-groups.ts'
import type { Chat } from './types.ts'

const now = new Date(2026, 10, 24, 13, 0)
const chat = (id: string, at: Date, pinned = false) => ({ id, updatedAt: at.getTime(), pinned }) as Chat

it('groups by the days of the calendar, pinned ones first', () => {
  const groups = groupChats(
    [
      chat('old', new Date(2026, 1, 1)),
      chat('midnight', new Date(2026, 10, 24, 0, 0)),
      chat('noon', new Date(2026, 10, 24, 12, 0)),
      chat('last evening', new Date(2026, 10, 23, 23, 59)),
      chat('kept', new Date(2025, 0, 1), true),
      chat('a week ago', new Date(2026, 10, 17, 0, 0)),
      chat('three weeks ago', new Date(2026, 10, 3)),
    ],
    now,
  )
  expect(groups.map(({ name, chats }) => [name, chats.map(({ id }) => id)])).toEqual([
    ['pinned', ['kept']],
    ['today', ['noon', 'midnight']],
    ['yesterday', ['last evening']],
    ['lastWeek', ['a week ago']],
    ['lastMonth', ['three weeks ago']],
    ['older', ['old']],
  ])
})

it('counts a chat from the future as today’s', () => {
  expect(groupChats([chat('a', new Date(2027, 0, 1))], now)[0]!.name).toBe('today')
})
