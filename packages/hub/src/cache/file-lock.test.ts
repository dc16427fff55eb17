import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { withFileLock } from './file-lock.ts'

let folder: string
let path: string
const children: ChildProcess[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petals-chat-lock-'))
  path = join(folder, 'locks', 'a.lock')
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** Starts another process that takes the lock, reports it, and holds it. */
async function holder(): Promise<ChildProcess> {
  const lock = fileURLToPath(new URL('file-lock.ts', import.meta.url))
  const code = `
    const { withFileLock } = await import(${JSON.stringify(lock)})
    await withFileLock(${JSON.stringify(path)}, {}, async () => {
      console.log('held')
      await new Promise((resolve) => process.stdin.once('end', resolve).resume())
    })`
  const child = spawn(
    process.execPath,
    ['--conditions=petals-chat-source', '--input-type=module', '-e', code],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  children.push(child)
  await once(child.stdout ?? child, 'data')
  return child
}

it('tasks of one process run one after another', async () => {
  const order: string[] = []
  const task = (name: string) =>
    withFileLock(path, {}, async () => {
      order.push(`${name} begins`)
      await sleep(30)
      order.push(`${name} ends`)
    })
  await Promise.all([task('a'), task('b'), task('c')])
  for (let i = 0; i < order.length; i += 2) expect(order[i + 1]).toBe(order[i]?.replace('begins', 'ends'))
  await expect(readFile(path)).rejects.toThrow('ENOENT')
})

it('a failed task releases the lock', async () => {
  await expect(withFileLock(path, {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await withFileLock(path, {}, async (lock) => lock.isHeld())).toBe(true)
})

it('a task waits for another process, and reports the wait', async () => {
  const child = await holder()
  let waits = 0
  const mine = withFileLock(path, { onWait: () => void (waits += 1) }, async () => 'mine')
  await vi.waitFor(() => expect(waits).toBeGreaterThan(0))
  child.stdin?.end()
  expect(await mine).toBe('mine')
})

it('lets a waiting caller stop waiting', async () => {
  await holder()
  const reason = new Error('enough')
  const abort = new AbortController()
  setTimeout(() => abort.abort(reason), 50)
  await expect(withFileLock(path, { signal: abort.signal }, async () => 'mine')).rejects.toBe(reason)
})

it('the lock of a process that was killed is taken over at once', async () => {
  const child = await holder()
  child.kill('SIGKILL')
  await once(child, 'exit')
  const onWait = vi.fn()
  expect(await withFileLock(path, { onWait }, async () => 'mine')).toBe('mine')
  expect(onWait).not.toHaveBeenCalled()
})

it('tasks that find an abandoned lock still run one after another', async () => {
  await withFileLock(path, {}, async () => {})
  let inside = 0
  const task = () =>
    withFileLock(path, {}, async () => {
      expect(++inside).toBe(1)
      await sleep(5)
      inside -= 1
    })
  for (let round = 0; round < 5; round++) {
    const dead = { token: `dead ${round}`, pid: 2 ** 22 + 1, host: hostname() }
    await writeFile(path, JSON.stringify(dead))
    await Promise.all(Array.from({ length: 4 }, task))
  }
  expect(await readdir(dirname(path))).toEqual([])
})

it('a holder that lost the lock detects this, and does not touch the new one', async () => {
  await withFileLock(path, {}, async (lock) => {
    expect(await lock.isHeld()).toBe(true)
    await writeFile(path, JSON.stringify({ token: 'other', pid: process.pid, host: hostname() }))
    expect(await lock.isHeld()).toBe(false)
  })
  expect(await readFile(path, 'utf8')).toContain('other')
})
