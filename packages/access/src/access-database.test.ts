import { copyFileSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { backUpAccessDatabase, openAccessDatabase } from './database.ts'
import { KeyStore } from './keys/key-store.ts'
import { SignInStore } from './sign-ins/sign-in-store.ts'
import { UsageStore } from './usage/usage-store.ts'

const root = mkdtempSync(join(tmpdir(), 'access-replaced-'))
afterAll(() => rmSync(root, { recursive: true }))

function openStores(path: string) {
  const database = openAccessDatabase(path)
  const keys = new KeyStore(database)
  return {
    database,
    keys,
    usage: new UsageStore(database),
    signIns: new SignInStore(database),
    /** What the key is worth, or the code of the error. */
    stateOf(token: string): string {
      try {
        return keys.verify(token).state
      } catch (error) {
        return (error as { code: string }).code
      }
    },
    [Symbol.dispose]: () => database.close(),
  }
}

/** Two gateways on one file, a copy of it with one key, and a key that was made after the copy. */
function startTwo() {
  const folder = mkdtempSync(join(root, 'case-'))
  const path = join(folder, 'access.sqlite')
  const copy = join(folder, 'copy.sqlite')
  const [one, two] = [openStores(path), openStores(path)]
  const before = one.keys.create({ name: 'before' }).token
  backUpAccessDatabase(one.database, copy)
  const after = two.keys.create({ name: 'after' }).token
  const both = (token: string) => [one.stateOf(token), two.stateOf(token)]
  return {
    ...{ folder, path, copy, one, two, before, after, both },
    /** The two go on with the copy, share what they write, and leave a sound file. */
    async expectCopy() {
      await expect.poll(() => both(after)).toEqual(['unknown', 'unknown'])
      expect(both(before)).toEqual(['valid', 'valid'])
      const { key, token } = one.keys.create({ name: 'after' })
      expect(both(token)).toEqual(['valid', 'valid'])
      two.keys.revoke(key.id)
      expect(both(token)).toEqual(['revoked', 'revoked'])
      two.signIns.add({
        tokenHash: 'x',
        callerId: 'c',
        name: 'Ada',
        policy: 'p',
        expiresAt: Date.now() + 60_000,
      })
      expect(one.signIns.find('x')).toMatchObject({ name: 'Ada' })
      one.database.close()
      two.database.close()
      using later = openStores(path)
      expect(later.database.connection.prepare('PRAGMA integrity_check').get()).toEqual({
        integrity_check: 'ok',
      })
      expect([later.stateOf(token), later.stateOf(before), later.stateOf(after)]).toEqual([
        'revoked',
        'valid',
        'unknown',
      ])
      expect(readdirSync(folder).filter((name) => name.startsWith('access.sqlite-new'))).toEqual([])
    },
    [Symbol.dispose]() {
      for (const stores of [one, two]) stores[Symbol.dispose]()
    },
  }
}

it.each<readonly [string, (path: string, copy: string) => void]>([
  ['renamed over it', (path, copy) => renameSync(copy, path)],
  ['written over it', (path, copy) => copyFileSync(copy, path)],
  [
    'put in its place, after it was removed with its log',
    (path, copy) => {
      for (const end of ['', '-wal', '-shm']) rmSync(path + end)
      copyFileSync(copy, path)
    },
  ],
])('goes on with a copy that is %s', async (_how, restore) => {
  using test = startTwo()
  restore(test.path, test.copy)
  await test.expectCopy()
})

it('fails in words while there is no file, or none of ours, and makes none', async () => {
  using test = startTwo()
  const { path, one, both, before, after } = test
  rmSync(path)
  await expect.poll(() => both(before)).toEqual(['unavailable', 'unavailable'])
  expect(() => one.keys.list()).toThrow(
    `The file of API keys, ${path}, can't be used: it is gone. Put it back`,
  )
  expect(() => one.usage.read({ from: '', to: '' })).toThrow('it is gone')
  expect(() => one.signIns.find('x')).toThrow('it is gone')
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined()
  for (const content of ['', 'not a database']) {
    writeFileSync(path, content)
    await expect.poll(() => both(after)).toEqual(['unavailable', 'unavailable'])
  }
  renameSync(test.copy, path)
  await test.expectCopy()
})

it('goes on with its own file when that comes back, with what was only in its log', async () => {
  using test = startTwo()
  const away = join(test.folder, 'away')
  renameSync(test.path, away)
  await expect.poll(() => test.both(test.after)).toEqual(['unavailable', 'unavailable'])
  renameSync(away, test.path)
  await expect.poll(() => test.both(test.after)).toEqual(['valid', 'valid'])
})

it('shares a log with others again after its own was removed', async () => {
  using test = startTwo()
  rmSync(`${test.path}-wal`)
  rmSync(`${test.path}-shm`)
  const generations = () => [test.one, test.two].map(({ database }) => database.generation)
  await expect.poll(() => [...test.both(test.after), ...generations()]).toEqual(['valid', 'valid', 1, 1])
  const { token } = test.one.keys.create({ name: 'third' })
  expect(test.both(token)).toEqual(['valid', 'valid'])
  expect(test.both(test.after)).toEqual(['valid', 'valid'])
})

it('does not open again once it was closed', () => {
  using test = startTwo()
  test.one.database.close()
  expect(test.both(test.before)).toEqual(['unavailable', 'valid'])
})
