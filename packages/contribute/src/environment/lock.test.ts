import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ContributeError } from '../contribute-error.ts'
import { lock } from './lock.ts'

let place: string
let folder: string
beforeEach(async () => {
  place = await mkdtemp(path.join(tmpdir(), 'petals-lock-'))
  folder = path.join(place, 'deep', 'env.lock')
})
afterEach(() => rm(place, { recursive: true, force: true }))

const quiet = { onWait: () => {} }

it('is held by one process after the other', async () => {
  const release = await lock(folder, quiet)
  const waiting = Promise.withResolvers<void>()
  const second = lock(folder, { onWait: () => waiting.resolve() })
  await waiting.promise
  await release()
  await (
    await second
  )()
  expect(await readdir(path.dirname(folder))).toEqual([])
})

it.each([
  ['of a process that is gone', '2147483646', 1e9],
  ['that its maker did not live to sign', undefined, 100],
  ['whose maker had the process id that another one has now', String(process.pid), 100],
])('takes over a lock %s', async (_, pid, staleMs) => {
  await mkdir(folder, { recursive: true })
  if (pid !== undefined) await writeFile(path.join(folder, 'pid'), pid)
  await (
    await lock(folder, { ...quiet, staleMs })
  )()
})

it('is updated while it is held, and stops waiting when its signal is aborted', async () => {
  const release = await lock(folder, quiet)
  const beat = async () => (await stat(path.join(folder, 'pid'))).mtimeMs
  const first = await beat()
  await expect.poll(beat).toBeGreaterThan(first)
  const stop = new AbortController()
  const second = lock(folder, { onWait: () => stop.abort(new Error('enough')), signal: stop.signal })
  await expect(second).rejects.toThrow('enough')
  await release()
})

it('names the folder that it may not write, without waiting', async () => {
  await writeFile(path.join(place, 'deep'), 'a file')
  const failing = lock(folder, quiet)
  await expect(failing).rejects.toThrow(ContributeError)
  await expect(failing).rejects.toThrow(/can't be made in .*deep.*--environment FOLDER/)
})
