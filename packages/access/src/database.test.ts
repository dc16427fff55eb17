import { execFileSync } from 'node:child_process'
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import { backUpAccessDatabase, openAccessDatabase } from './database.ts'
import { KeyStore } from './keys/key-store.ts'
import { SCHEMA_VERSION } from './schema-version.ts'
import { SignInStore } from './sign-ins/sign-in-store.ts'
import { UsageStore } from './usage/usage-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'access-database-'))
afterAll(() => rmSync(folder, { recursive: true }))

const entry = { day: '2026-11-20', model: 'SmolLM2-135M-Instruct', cachedTokens: 40, swarmMs: 0 }
const used = { ...entry, requests: 3, promptTokens: 120, completionTokens: 60 }
const days = { from: '2026-11-20', to: '2026-11-20' }

const signIn = {
  tokenHash: 'a1b2c3d4e5f60718',
  callerId: 'user:x',
  name: 'Ada',
  policy: 'p',
  expiresAt: Date.now() + 60_000,
}

function openStores(path: string) {
  const database = openAccessDatabase(path)
  const stores = {
    keys: new KeyStore(database),
    usage: new UsageStore(database),
    signIns: new SignInStore(database),
  }
  return { ...stores, database, [Symbol.dispose]: () => database.close() }
}

describe('a file of keys that older programs wrote', () => {
  /** Made by the first program that kept keys and usage; its tokens. */
  const tokens = {
    lab: 'sk-petals-jidis64gerhw-kkvA0Y3T2_OluBiGYES5o0al7LtnvS8kUCK27JL3YjI',
    oldMaker: 'sk-petals-4bc3yr2286sh-3KZHiwHlLpemIuhDgrUJGDELRwThgOOrImQsUEzKfH4',
    maker: 'sk-petals-4bc3yr2286sh-ViYVI1miVCvAmizIL6UfEu2O1ve6hT6geenkkJrg8JQ',
    child: 'sk-petals-4vmrpdj72fj5-SmWrnTqavakGoi9XJqCNwIpz8VEis1qtSpWBIvixqOU',
    gone: 'sk-petals-n5regki26m55-VAlzvQJn9dmtHBztMabDoa0zj0ifz_NCKaOpa0t2SaU',
  }

  it('opens with its keys and usage, and gets the version of its tables', () => {
    const path = join(folder, 'first.sqlite')
    copyFileSync(join(import.meta.dirname, 'fixtures/first-version.sqlite'), path)
    using stores = openStores(path)
    const states = Object.values(tokens).map((token) => stores.keys.verify(token).state)
    expect(states).toEqual(['valid', 'revoked', 'valid', 'valid', 'revoked'])
    const [lab, maker] = stores.keys.list()
    expect(lab).toMatchObject({ models: [entry.model], limits: { tokensPerDay: 1000 } })
    expect(stores.keys.list(maker).map(({ name }) => name)).toEqual(['child'])
    expect(stores.usage.read(days)).toEqual([{ ...used, caller: `key:${lab!.id}` }])
    stores.signIns.add(signIn)
    expect(stores.signIns.find(signIn.tokenHash)).toEqual(signIn)
    expect(versionOf(path)).toBe(SCHEMA_VERSION)
  })
})

it.each<readonly [string, (path: string) => void]>([
  ['a text', (path) => writeFileSync(path, 'root:x:0:0\n', { mode: 0o644 })],
  [
    'the database of another program',
    (path) => new DatabaseSync(path).exec('CREATE TABLE bookmarks (url TEXT)'),
  ],
  ['a folder', (path) => mkdirSync(path, { mode: 0o755 })],
  ['a pipe, which would wait for a reader', (path) => execFileSync('mkfifo', ['-m', '644', path])],
])('a wrong path to %s is refused, and what is there is left as it is', (_what, make) => {
  const path = join(folder, 'wrong')
  make(path)
  const stateOf = () => [statSync(path).mode, statSync(path).mtimeMs]
  const before = stateOf()
  expect(() => openAccessDatabase(path)).toThrow("can't be opened: it is")
  expect(stateOf()).toEqual(before)
  rmSync(path, { recursive: true })
})

it('a file that a newer program wrote is refused in words, and left as it is', () => {
  const path = join(folder, 'newer.sqlite')
  const newer = new DatabaseSync(path)
  newer.exec(`CREATE TABLE keys (name TEXT, budget TEXT) STRICT; PRAGMA user_version = ${SCHEMA_VERSION + 1}`)
  newer.close()
  const before = readFileSync(path)
  const open = () => openAccessDatabase(path)
  expect(open).toThrow(`${path}, was written by a newer Petals Chat: its tables have version 2`)
  expect(open).toThrow('Start the newer program again, or put back the copy from before the upgrade')
  expect(readFileSync(path).equals(before)).toBe(true)
})

describe('a copy', () => {
  it('has what was committed, also what is still in the log alone, and is one file for its user', () => {
    const path = join(folder, 'live.sqlite')
    using live = openStores(path)
    const { key, token } = live.keys.create({ name: 'lab' })
    live.usage.add([{ ...used, caller: `key:${key.id}` }])
    live.signIns.add(signIn)
    // So a plain copy of the file would have nothing.
    expect(statSync(path).size).toBeLessThan(statSync(`${path}-wal`).size)
    const copy = join(folder, 'copies', 'copy.sqlite')
    backUpAccessDatabase(live.database, copy)
    expect(statSync(copy).mode & 0o777).toBe(0o600)
    expect(readFileSync(copy).includes(signIn.tokenHash)).toBe(false)
    live.keys.revoke(key.id)
    using restored = openStores(copy)
    expect(restored.keys.verify(token)).toMatchObject({ state: 'valid', key })
    expect(restored.usage.read(days)).toEqual(live.usage.read(days))
    expect(restored.signIns.find(signIn.tokenHash)).toBeUndefined()
    expect(versionOf(copy)).toBe(SCHEMA_VERSION)
  })

  it('never replaces a file, and leaves none behind where it fails', () => {
    using live = openStores(':memory:')
    const taken = join(folder, 'taken.sqlite')
    writeFileSync(taken, 'mine')
    expect(() => backUpAccessDatabase(live.database, taken)).toThrow(`already a file ${taken}`)
    expect(readFileSync(taken, 'utf8')).toBe('mine')
    expect(() => backUpAccessDatabase(live.database, join(taken, 'copy'))).toThrow("can't be written")
  })
})

it.runIf(process.getuid?.() === 0)('a file that root makes belongs to the owner of its folder', () => {
  const home = join(folder, 'service')
  mkdirSync(home)
  chownSync(home, 10_001, 10_002)
  const path = join(home, 'access.sqlite')
  using stores = openStores(path)
  stores.keys.create({ name: 'first' })
  for (const file of [path, `${path}-wal`, `${path}-shm`])
    expect(statSync(file)).toMatchObject({ uid: 10_001, gid: 10_002 })
})

function versionOf(path: string): unknown {
  using database = new DatabaseSync(path, { readOnly: true })
  return database.prepare('PRAGMA user_version').get()?.['user_version']
}
