import { expect, it } from 'vitest'
import { WrongKeys } from './wrong-keys.ts'

it('asks a network to wait after many wrong keys, for the rest of a minute, and no other network', () => {
  let now = 0
  const wrong = new WrongKeys(3, () => now)
  for (let i = 0; i < 3; i++) expect(wrong.count('192.0.2.1')).toBeUndefined()
  now = 20_000
  expect(wrong.count('192.0.2.1')).toMatchObject({ code: 'rate_limit_exceeded', retryAfterMs: 40_000 })
  expect(wrong.count('192.0.2.2')).toBeUndefined()
  now = 60_000
  expect(wrong.count('192.0.2.1')).toBeUndefined()
})

it('remembers a bounded number of networks', () => {
  const wrong = new WrongKeys(3, () => 0)
  for (let i = 0; i <= 3; i++) wrong.count('first')
  for (let i = 0; i < 10_000; i++) wrong.count(`other ${i}`)
  expect(wrong.count('first')).toBeUndefined()
})
