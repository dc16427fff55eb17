import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { openAccessDatabase } from '../database.ts'
import type { KeyRecord, NewKey } from './key-record.ts'
import { KeyStore, type KeyStoreOptions } from './key-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'access-'))
afterAll(() => rmSync(folder, { recursive: true }))

function createStore(path = ':memory:', { maxMadeKeys }: Pick<KeyStoreOptions, 'maxMadeKeys'> = {}) {
  const clock = { now: 1_000_000 }
  const database = openAccessDatabase(path)
  const bound = maxMadeKeys === undefined ? {} : { maxMadeKeys }
  const store = new KeyStore(database, { now: () => clock.now, ...bound })
  return { store, clock, database }
}

const secretOf = (token: string): string => token.split('-').slice(3).join('-')

describe('KeyStore', () => {
  it('knows a key by its whole token, and by nothing else', () => {
    const { store } = createStore()
    const { key, token } = store.create({ name: 'lab' })
    expect(token).toMatch(/^sk-petals-[a-z2-9]{12}-[\w-]{43}$/)
    expect(store.verify(token)).toEqual({ state: 'valid', key, secretId: 1, validUntil: undefined })
    const other = store.create({ name: 'other' }).token
    for (const wrong of ['', 'x', key.id, token.slice(0, -1), `${token}x`, ` ${token}`, token.toUpperCase()])
      expect(store.verify(wrong)).toEqual({ state: 'unknown' })
    const mixed = `sk-petals-${key.id}-${secretOf(other)}`
    expect(store.verify(mixed)).toEqual({ state: 'unknown' })
    for (const hostile of [
      "sk-petals-' OR 1=1 --",
      'sk-petals-__proto__-',
      `sk-petals-${'a'.repeat(12)}-${'A'.repeat(43)}`,
    ])
      expect(store.verify(hostile)).toEqual({ state: 'unknown' })
  })

  it('finds a secret by its hash alone, so that a wrong one takes as long whatever keys there are', () => {
    const { store, database } = createStore()
    store.create({ name: 'lab' })
    const { connection } = database
    const run: string[] = []
    const prepare = connection.prepare.bind(connection)
    vi.spyOn(connection, 'prepare').mockImplementation((sql) => (run.push(sql), prepare(sql)))
    // Prepared once by each store.
    const other = new KeyStore(database)
    other.verify(`sk-petals-${'a'.repeat(12)}-${'A'.repeat(43)}`)
    expect(run).toHaveLength(1)
    const plan = prepare(`EXPLAIN QUERY PLAN ${run[0]}`).all(new Uint8Array(32), 'a')
    expect(plan).toMatchObject([
      { detail: expect.stringContaining('key_secrets_by_hash (hash=? AND key_id=?)') },
    ])
  })

  it('writes no secret into the file, which only its user may read', () => {
    const path = join(folder, 'new', 'access.sqlite')
    const { store } = createStore(path)
    const { key, token } = store.create({ name: 'lab' })
    store.rotate(key.id)
    const bytes = [path, `${path}-wal`].map((file) => readFileSync(file).toString('latin1')).join('')
    expect(bytes).toContain(key.id)
    expect(bytes).not.toContain(secretOf(token))
    expect(bytes).not.toContain(Buffer.from(secretOf(token), 'base64url').toString('latin1'))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o700)
  })

  it('keeps keys over a restart, and shows the changes of another process', () => {
    const path = join(folder, 'shared.sqlite')
    const [server, cli] = [createStore(path).store, createStore(path).store]
    const before = server.version
    const { key, token } = cli.create({
      name: 'lab',
      scopes: ['openai', 'metrics', 'openai'],
      models: ['a', 'b'],
      limits: { tokensPerDay: 5 },
      expiresAt: 2_000_000,
    })
    expect(server.version).not.toBe(before)
    expect(server.verify(token)).toMatchObject({
      state: 'valid',
      key: { ...key, scopes: ['openai', 'metrics'] },
    })
    cli.revoke(key.id)
    expect(server.verify(token)).toEqual({ state: 'revoked' })
    expect(createStore(path).store.list()).toMatchObject([{ id: key.id, revokedAt: 1_000_000 }])
  })

  it('ends a key at its time', () => {
    const { store, clock } = createStore()
    const { key, token } = store.create({ name: 'short', expiresAt: clock.now + 10 })
    clock.now += 9
    expect(store.verify(token).state).toBe('valid')
    clock.now += 1
    expect(store.verify(token)).toEqual({ state: 'expired' })
    expect(() => store.rotate(key.id)).toThrow('is expired')
    expect(() => store.create({ name: 'past', expiresAt: clock.now })).toThrow('in the past')
  })

  it('gives a key a new secret; the old one counts for a grace time, if that is wanted', () => {
    const { store, clock } = createStore()
    const { key, token } = store.create({ name: 'lab' })
    const second = store.rotate(key.id)
    expect(second.key.id).toBe(key.id)
    expect(store.verify(token)).toEqual({ state: 'revoked' })
    const third = store.rotate(key.id, { graceMs: 100 })
    expect(store.verify(second.token)).toMatchObject({ state: 'valid', secretId: 2 })
    expect(store.verify(third.token)).toMatchObject({ state: 'valid', secretId: 3 })
    clock.now += 100
    expect(store.verify(second.token)).toEqual({ state: 'revoked' })
    expect(store.verify(third.token).state).toBe('valid')
  })

  it('forgets old secrets of a key, and refuses more than the file is to keep that still count', () => {
    const { store, clock, database } = createStore()
    const { key } = store.create({ name: 'lab' })
    const count = () => database.connection.prepare('SELECT count(*) AS n FROM key_secrets').get()?.['n']
    let last = ''
    for (let i = 0; i < 100; i++) last = store.rotate(key.id).token
    expect(count()).toBe(16)
    for (let i = 0; i < 15; i++) store.rotate(key.id, { graceMs: 100 })
    expect(() => store.rotate(key.id, { graceMs: 100 })).toThrow("'lab' has 16 secrets that still count")
    expect(store.verify(last).state).toBe('valid')
    clock.now += 100
    store.rotate(key.id)
    expect(store.verify(last).state).not.toBe('valid')
    expect(count()).toBe(16)
  })

  it('keeps what was revoked or rotated revoked when the clock is set back', () => {
    const { store, clock } = createStore()
    clock.now = 10_000_000
    const [revoked, rotated, rushed] = ['revoked', 'rotated', 'rushed'].map((name) => store.create({ name }))
    store.revoke(revoked!.key.id)
    store.rotate(rotated!.key.id)
    store.rotate(rushed!.key.id, { graceMs: 50 })
    store.rotate(rushed!.key.id)
    clock.now -= 3_600_000
    for (const { token } of [revoked!, rotated!, rushed!])
      expect(store.verify(token)).toEqual({ state: 'revoked' })
  })

  it('takes no time that the file could not return, which would end all keys', () => {
    const { store } = createStore()
    const { key, token } = store.create({ name: 'long', expiresAt: Date.parse('9999-12-31') })
    const tooFar = [Number.MAX_SAFE_INTEGER, 9e18, Infinity]
    for (const time of tooFar) {
      expect(() => store.create({ name: 'ever', expiresAt: time })).toThrow('9999')
      expect(() => store.rotate(key.id, { graceMs: time })).toThrow('9999')
    }
    expect(store.list()).toEqual([key])
    expect(store.verify(token).state).toBe('valid')
  })

  it('gives each valid key a name of its own', () => {
    const { store } = createStore()
    const { key } = store.create({ name: ' lab ' })
    expect(key.name).toBe('lab')
    expect(() => store.create({ name: 'lab' })).toThrow("already a key 'lab'")
    for (const name of ['', ' ', 'a\nb', '\u001b[31m', 'x'.repeat(101), 'a\u202eb', 'a\u2028b', '\ud800'])
      expect(() => store.create({ name })).toThrow('1 to 100 characters')
    store.revoke(key.id)
    const again = store.create({ name: 'lab' })
    expect(store.find('lab').id).toBe(again.key.id)
    expect(() => store.find('none')).toThrow("no key 'none'")
  })

  it('notes its use, at most once in a minute', () => {
    const { store, clock } = createStore()
    const { key } = store.create({ name: 'lab' })
    const use = () => (store.noteUse(store.find(key.id)), store.find(key.id).lastUsedAt)
    expect(use()).toBe(1_000_000)
    clock.now += 59_000
    expect(use()).toBe(1_000_000)
    clock.now += 1_000
    expect(use()).toBe(1_060_000)
  })
})

describe('a key that makes keys', () => {
  const maker = {
    name: 'maker',
    scopes: ['openai', 'admin'],
    models: ['a', 'b'],
    expiresAt: 2_000_000,
  } as const

  it.each<readonly [string, Omit<NewKey, 'name'>]>([
    ['a scope', { scopes: ['openai', 'metrics'] }],
    ['the usual scopes', {}],
    ['a model', { scopes: ['openai'], models: ['a', 'c'] }],
    ['time', { scopes: ['openai'], expiresAt: 2_000_001 }],
    ['context', { scopes: ['openai'], limits: { maxContext: 101 } }],
  ])('can not grant %s that it lacks', (_what, wanted) => {
    const { store } = createStore()
    const { key } = store.create({ ...maker, limits: { maxContext: 100 } })
    expect(() => store.create({ name: 'child', ...wanted }, key)).toThrow('never grants more')
    expect(store.list()).toHaveLength(1)
  })

  it('hands on its models, its context and its end', () => {
    const { store } = createStore()
    const parent = store.create({ ...maker, limits: { maxContext: 100 } }).key
    const { key } = store.create({ name: 'child', scopes: ['openai'], limits: { tokensPerDay: 5 } }, parent)
    expect(key).toMatchObject({
      models: ['a', 'b'],
      expiresAt: 2_000_000,
      limits: { maxContext: 100, tokensPerDay: 5 },
      madeBy: parent.id,
    })
  })

  it('makes none if it has a budget, because each of them would have it again', () => {
    const { store } = createStore()
    const { key } = store.create({ ...maker, limits: { tokensPerDay: 10 } })
    expect(() =>
      store.create({ name: 'child', scopes: ['openai'], limits: { tokensPerDay: 10 } }, key),
    ).toThrow('tokensPerDay')
  })

  it('has a bound on the keys that it makes, directly or through others, and the operator has none', () => {
    const { store, clock, database } = createStore(':memory:', { maxMadeKeys: 3 })
    const scopes = ['openai', 'admin'] as const
    const make = (name: string, by?: KeyRecord) => store.create({ name, scopes }, by).key
    const [root, other] = [make('root'), make('other')]
    const child = make('child', root)
    const grandchild = make('grandchild', child)
    const short = store.create({ name: 'short', scopes, expiresAt: clock.now + 10 }, child).key
    for (const maker of [root, child, grandchild])
      expect(() => make('fourth', maker)).toThrow('server.access.maxMadeKeys')
    make('of another', other)
    for (let i = 0; i < 5; i++) make(`operator ${i}`)
    clock.now += 10
    make('fourth', grandchild)
    expect(() => make('fifth', root)).toThrow('server.access.maxMadeKeys')
    expect([root, short, grandchild].map((key) => store.rootOf(key))).toEqual([root.id, root.id, root.id])
    // However many a stolen key makes and revokes, the file remembers as many.
    for (let i = 0; i < 50; i++) {
      store.revoke(store.find('fourth').id)
      make('fourth', grandchild)
    }
    expect(store.list(root)).toHaveLength(3 + 3)
    expect(store.list(root).map(({ name }) => name)).toEqual(expect.arrayContaining(['child', 'grandchild']))
    expect(database.connection.prepare('PRAGMA foreign_key_check').all()).toEqual([])
    store.revoke(root.id)
    expect(store.list(root).every(({ revokedAt }) => revokedAt !== undefined)).toBe(true)
  })

  it('can not make one that takes much of the file', () => {
    const { store } = createStore()
    const { key } = store.create({ name: 'maker', scopes: ['openai', 'admin'] })
    const models = Array.from({ length: 100 }, (_, i) => `${'x'.repeat(190)}${i}`)
    expect(() => store.create({ name: 'wide', scopes: ['openai'], models }, key)).toThrow('16384 characters')
    store.create({ name: 'wide', scopes: ['openai'], models })
  })

  it('sees only keys that it made, and takes them with it when it is revoked', () => {
    const { store } = createStore()
    const scopes = ['openai', 'admin'] as const
    const make = (name: string, by?: KeyRecord) => store.create({ name, scopes }, by)
    const [parent, stranger] = [make('parent').key, make('stranger')]
    const child = make('child', parent)
    const grandchild = make('grandchild', child.key)
    expect(store.list(parent).map(({ name }) => name)).toEqual(['child', 'grandchild'])
    expect(() => store.find(stranger.key.id, parent)).toThrow('no key')
    expect(() => store.find(parent.id, child.key)).toThrow('no key')
    expect(store.revoke(parent.id)).toEqual([parent.id, child.key.id, grandchild.key.id])
    expect(store.verify(grandchild.token)).toEqual({ state: 'revoked' })
    expect(store.verify(stranger.token).state).toBe('valid')
  })
})

describe('openAccessDatabase', () => {
  it('names the file that it can not open', () => {
    const path = join(folder, 'a-folder')
    openAccessDatabase(join(path, 'file'))
    expect(() => openAccessDatabase(path)).toThrow(`The file of API keys, ${path}, can't be opened`)
    expect(() => openAccessDatabase(path)).toThrow('server.access.file')
  })
})
