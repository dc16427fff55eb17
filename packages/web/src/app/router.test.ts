import { expect, it } from 'vitest'
import { formatRoute, parseRoute, type Route } from './router.ts'

it.each<Route>([
  { page: 'new' },
  { page: 'swarm' },
  { page: 'compare' },
  { page: 'chat', chatId: 'a-b' },
  { page: 'chat', chatId: 'of another page? 100% a/b#c' },
  { page: 'chat', chatId: 'a', found: { words: 'what? #1 & 100% über', messageId: 'm-1' } },
])('%o survives the way through its address', (route) =>
  expect(parseRoute(formatRoute(route))).toEqual(route),
)

it('an address without a place is a new chat', () => {
  for (const hash of ['', '#', '#/', '#/nothing', '#/c/']) expect(parseRoute(hash)).toEqual({ page: 'new' })
  expect(parseRoute('#/c/100%')).toEqual({ page: 'chat', chatId: '100%', found: undefined })
  expect(parseRoute('#/c/a?find=x')).toEqual({ page: 'chat', chatId: 'a', found: undefined })
})
