import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type ClientEntry, clients } from './registry.ts'
import { clientsPage } from './tables.ts'

const root = new URL('../../', import.meta.url)

it('docs/clients.md shows what the tests hold; `npm run clients` writes it', async () => {
  const { current, made } = await clientsPage()
  expect(current).toBe(made)
})

describe.each(Object.entries<ClientEntry>(clients))('%s', (id, { heldBy, byHand }) => {
  it('is held by tests, or was tried by hand', () => {
    expect(Object.keys(heldBy).length + (byHand?.calls.length ?? 0)).toBeGreaterThan(0)
  })

  it.each(Object.entries(heldBy))('is declared in %s, with its calls', async (file, listed) => {
    const source = await readFile(fileURLToPath(new URL(file, root)), 'utf8')
    expect(source).toContain(`callsOf('${id}', import.meta.url)`)
    expect(listed.filter((call) => !new RegExp(`holds\\w*\\([^)]*'${call}'`, 'i').test(source))).toEqual([])
  })
})
