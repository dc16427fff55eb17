import { expect, it } from 'vitest'
import { CallSlots } from './call-slots.ts'

const { signal } = new AbortController()

it('has so many places for each key', () => {
  const slots = new CallSlots(1)
  const place = slots.tryEnter('ann')!
  expect(slots.tryEnter('ann')).toBeUndefined()
  expect(slots.tryEnter('bob')).toBeDefined()
  place[Symbol.dispose]()
  expect(slots.tryEnter('ann')).toBeDefined()
})

it('gives a place to those who wait in their order, and passes over those who have gone', async () => {
  const slots = new CallSlots(1)
  const place = slots.tryEnter('ann')!
  const order: string[] = []
  const gone = new AbortController()
  const waits = [
    slots.enter('ann', signal).then((next) => (order.push('first'), next)),
    slots.enter('ann', gone.signal),
    slots.enter('ann', signal).then((next) => (order.push('third'), next)),
  ] as const
  gone.abort(new Error('gone'))
  await expect(waits[1]).rejects.toThrow('gone')
  place[Symbol.dispose]()
  const first = await waits[0]
  expect(order).toEqual(['first'])
  expect(slots.tryEnter('ann')).toBeUndefined()
  first[Symbol.dispose]()
  ;(await waits[2])[Symbol.dispose]()
  expect(order).toEqual(['first', 'third'])
  expect(slots.tryEnter('ann')).toBeDefined()
})

it('loses no place if who waited goes in the moment of the turn', async () => {
  const slots = new CallSlots(1)
  const place = slots.tryEnter('ann')!
  const gone = new AbortController()
  const wait = slots.enter('ann', gone.signal)
  gone.abort(new Error('gone'))
  place[Symbol.dispose]()
  await expect(wait).rejects.toThrow('gone')
  expect(slots.tryEnter('ann')).toBeDefined()
})
