import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, expect, it } from 'vitest'
import { openAccessDatabase } from './database.ts'
import { KeyStore } from './keys/key-store.ts'
import { UsageStore } from './usage/usage-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'access-busy-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Result {
  readonly rounds: number
  readonly errors: readonly string[]
}

const resultOf = async ({ stdout }: ChildProcessWithoutNullStreams): Promise<Result> =>
  JSON.parse(await text(stdout)) as Result

it('lets processes that write all the time have their turns, and loses nothing', async () => {
  const path = join(folder, 'access.sqlite')
  const database = openAccessDatabase(path)
  const keys = new KeyStore(database)
  const usage = new UsageStore(database)
  const program = join(import.meta.dirname, 'fixtures/busy-writer.ts')
  const writers = ['a', 'b', 'c'].map((name) =>
    spawn(process.execPath, [
      ...process.execArgv,
      '--conditions=petals-chat-source',
      program,
      path,
      name,
      '1000',
    ]),
  )
  await Promise.all(writers.map(({ stdout }) => once(stdout, 'data')))
  for (const { stdin } of writers) stdin.end('go')
  const results = await Promise.all(writers.map(resultOf))
  // Of SQLite's own wait, one of three had a single turn, and several errors.
  for (const { rounds, errors } of results) {
    expect(rounds).toBeGreaterThan(0)
    expect(errors.length).toBeLessThanOrEqual(1 + rounds / 10)
  }
  const all = keys.list()
  const [used] = usage.read({ from: '2026-11-29', to: '2026-11-29' })
  const failed = results.flatMap(({ errors }) => errors).length
  const done = results.reduce((sum, { rounds }) => sum + rounds, 0)
  expect(all.length).toBeGreaterThanOrEqual(done - failed)
  expect(used!.requests).toBeGreaterThanOrEqual(done - failed)
  expect(all.filter(({ revokedAt }) => revokedAt === undefined).length).toBeLessThanOrEqual(failed)
  database.close()
})
