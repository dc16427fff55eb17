import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { openAccessDatabase } from '../database.ts'
import { type UsageEntry, UsageStore } from './usage-store.ts'

const entry = (fields: Partial<UsageEntry> = {}): UsageEntry => ({
  day: '2026-11-28',
  caller: 'key:a',
  model: 'm',
  requests: 1,
  promptTokens: 10,
  cachedTokens: 4,
  completionTokens: 5,
  swarmMs: 250,
  ...fields,
})

const always = { from: '0000-00-00', to: '9999-99-99' }

it('adds to the row of a day, a caller and a model, and reads by caller and days', () => {
  const store = new UsageStore(openAccessDatabase(':memory:'))
  store.add([entry(), entry({ model: 'other' }), entry({ caller: "key:b'; DROP TABLE usage; --" })])
  store.add([entry({ requests: 0, completionTokens: 7 }), entry({ day: '2026-11-29' })])
  expect(store.read({ ...always, caller: 'key:a' })).toEqual([
    entry({ promptTokens: 20, cachedTokens: 8, completionTokens: 12, swarmMs: 500 }),
    entry({ model: 'other' }),
    entry({ day: '2026-11-29' }),
  ])
  expect(store.read(always)).toHaveLength(4)
  expect(store.read({ from: '2026-11-29', to: '2026-11-29' })).toEqual([entry({ day: '2026-11-29' })])
})

it('adds all entries or none', () => {
  const store = new UsageStore(openAccessDatabase(':memory:'))
  expect(() => store.add([entry(), entry({ requests: 1.5 })])).toThrow(/REAL/)
  expect(store.read(always)).toEqual([])
  store.add([entry()])
  expect(store.read(always)).toEqual([entry()])
})

it('counts what two processes add to one file', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'petals-chat-usage-'))
  const file = path.join(folder, 'access.db')
  const databases = [openAccessDatabase(file), openAccessDatabase(file)]
  try {
    const stores = databases.map((database) => new UsageStore(database))
    for (let round = 0; round < 10; round++) for (const store of stores) store.add([entry()])
    expect(stores[0]!.read(always)).toMatchObject([{ requests: 20, promptTokens: 200 }])
  } finally {
    for (const database of databases) database.close()
    rmSync(folder, { recursive: true })
  }
})
