import { expect, it } from 'vitest'
import { JoinTime } from './join-time.ts'

it('is that of the fastest of the initial peers, which are dialled at once', () => {
  let now = 0
  const join = new JoinTime(() => now)
  expect(join.ms).toBe(0)
  join.note(300)
  now = 1000
  join.note(80)
  now = 2000
  join.note(900)
  expect(join.ms).toBe(80)
})

it('grows when the line has become slower, and shrinks again', () => {
  let now = 0
  const join = new JoinTime(() => now)
  join.note(80)
  now = 60_000
  join.note(2500)
  expect(join.ms).toBe(2500)
  now = 120_000
  join.note(90)
  expect(join.ms).toBe(90)
})

it('grows, too, if peers are connected to again and again, less than half a minute apart', () => {
  let now = 0
  const join = new JoinTime(() => now)
  join.note(80)
  for (let count = 0; count < 4; count++) {
    now += 10_000
    join.note(2500)
  }
  expect(join.ms).toBe(2500)
})
