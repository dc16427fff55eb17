import { expect, it } from 'vitest'
import { openAccessDatabase } from '../database.ts'
import { MAX_SIGN_INS_PER_CALLER, SignInStore } from './sign-in-store.ts'

const signIn = (tokenHash: string, more: object = {}) => ({
  tokenHash,
  callerId: 'key:one',
  name: 'one',
  policy: 'key:one:1',
  expiresAt: 1_000,
  ...more,
})

it('keeps sign-ins until they are removed, and removes those that have ended', () => {
  let now = 0
  const database = openAccessDatabase(':memory:')
  const store = new SignInStore(database, { now: () => now })
  for (const hash of ['a', 'b', 'c']) store.add(signIn(hash))
  expect(store.find('a')).toEqual(signIn('a'))
  store.remove('a')
  store.remove('unknown')
  expect(['a', 'b', 'c'].map((hash) => store.find(hash)?.tokenHash)).toEqual([undefined, 'b', 'c'])
  now = 1_000
  store.add(signIn('d', { expiresAt: 2_000 }))
  expect(['b', 'c', 'd'].map((hash) => store.find(hash)?.tokenHash)).toEqual([undefined, undefined, 'd'])
  expect(new SignInStore(database).find('d')).toEqual(signIn('d', { expiresAt: 2_000 }))
})

it('ends the oldest sign-ins of a caller that has too many, and no others', () => {
  const store = new SignInStore(openAccessDatabase(':memory:'), { now: () => 0 })
  store.add(signIn('other', { callerId: 'key:two' }))
  for (let index = 0; index <= MAX_SIGN_INS_PER_CALLER; index++) store.add(signIn(`${index}`))
  expect(store.find('0')).toBeUndefined()
  for (const hash of ['1', `${MAX_SIGN_INS_PER_CALLER}`, 'other']) expect(store.find(hash)).toBeDefined()
})
