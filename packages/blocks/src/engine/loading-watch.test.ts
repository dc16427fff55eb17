import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeTinyModel, tiny, type TinyModel } from '../testing/tiny-model.ts'
import { openBlockModel } from '../weights/block-model.ts'
import { startBlockEngine } from './native-engine.ts'

const cacheTokens = 512
let files: TinyModel
/** Opening it waits until something is written to it: a disk that does not answer. */
let deadFile: string
beforeAll(async () => {
  files = await makeTinyModel()
  deadFile = path.join(files.files.description, 'dead')
  execFileSync('mkfifo', [deadFile])
})
afterAll(() => files[Symbol.asyncDispose]())

describe.skipIf(process.platform === 'win32')('a process that loads blocks', () => {
  it('is ended, and says why, when the weights do not come', async () => {
    let ranges = 0
    const rangeFile = async (name: string, start: number, end: number) =>
      ++ranges > 2 ? { path: deadFile, offset: 0 } : await files.files.rangeFile(name, start, end)
    const model = await openBlockModel({ ...files.files, rangeFile })
    const startedAt = performance.now()
    const loading = startBlockEngine({ model, start: 0, end: tiny.blocks, cacheTokens, loadStallMs: 1000 })
    await expect(loading).rejects.toThrow(/stood still for 1 s, at \d+ % of their weights.*disk/)
    expect(performance.now() - startedAt).toBeGreaterThan(1000)
  })

  it('is started again when it hangs while it loads them a second time', async () => {
    const model = await openBlockModel(files.files)
    await using engine = await startBlockEngine({ model, start: 0, end: 2, cacheTokens, loadStallMs: 1000 })
    const first = engine.pid!
    process.kill(first, 'SIGKILL')
    await expect.poll(() => engine.pid).not.toBe(first)
    const second = engine.pid!
    process.kill(second, 'SIGSTOP')
    await expect.poll(() => engine.pid, { timeout: 30_000 }).not.toBe(second)
    await using cache = await engine.openCache({
      start: 0,
      end: 2,
      batch: 1,
      maxLength: 8,
      timeoutMs: 30_000,
    })
    expect(cache.position).toBe(0)
  })
})
