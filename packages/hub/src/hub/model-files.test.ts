import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { listFolder } from '../storage.ts'
import { type TestStore, openTestStore, progressLog, someBytes } from '../testing/test-store.ts'

const shard = someBytes(400_000)
const config = '{"model_type": "llama"}'

let it: TestStore
let commit: string
beforeEach(async () => {
  it = await openTestStore()
  const files = { 'config.json': config, 'model-00001-of-00002.safetensors': shard }
  commit = it.hub.addRepository('owner/repo', { files })
})
afterEach(() => it[Symbol.asyncDispose]())

const weights = 'model-00001-of-00002.safetensors'
const cdnRequests = () => it.hub.requests.filter(({ host }) => host === 'cdn')

describe('a repository', () => {
  test('lists its files, gives texts, and says when there is none', async () => {
    const files = await it.store.openFiles('hf:owner/repo')
    expect(files.description).toBe('owner/repo@main')
    expect(await files.list()).toEqual(['config.json', weights])
    expect(await files.text('config.json')).toBe(config)
    it.hub.reset()
    expect(await files.text('generation_config.json')).toBeUndefined()
    expect(it.hub.requests).toEqual([])
    await expect(files.path('nothing.bin')).rejects.toMatchObject({ failure: 'not-found' })
  })

  test('knows how long files are without fetching them', async () => {
    const files = await it.store.openFiles('hf:owner/repo')
    expect(await files.size(weights)).toBe(shard.length)
    expect(cdnRequests()).toEqual([])
    await expect(files.size('nothing.bin')).rejects.toMatchObject({ failure: 'not-found' })
  })

  test('gives bytes of a file without the rest of it', async () => {
    const files = await it.store.openFiles('hf:owner/repo')
    const { seen, onProgress } = progressLog()
    const bytes = await files.range(weights, 100_000, 300_000, { onProgress })
    expect(Buffer.compare(bytes, shard.subarray(100_000, 300_000))).toBe(0)
    expect(cdnRequests().map(({ headers }) => headers.range)).toEqual(['bytes=100000-299999'])
    expect(seen.at(-1)).toMatchObject({ phase: 'download', label: weights, done: 200_000, total: 200_000 })
    expect(await it.store.list()).toMatchObject([{ source: 'hf:owner/repo', files: [], sizeBytes: 200_000 }])
  })

  test('keeps ranges: the next start needs no network', async () => {
    await (await it.store.openFiles('hf:owner/repo')).range(weights, 7, 9)
    const files = await it.reopen({ offline: true }).openFiles('hf:owner/repo')
    expect(await files.range(weights, 7, 9)).toEqual(shard.slice(7, 9))
    await expect(files.range(weights, 7, 10)).rejects.toMatchObject({ failure: 'offline' })
  })

  test('names a file with just the bytes that are wanted, and fetches them once', async () => {
    const files = await it.store.openFiles('hf:owner/repo')
    const { seen, onProgress } = progressLog()
    const { path, offset } = await files.rangeFile(weights, 100_000, 300_000, { onProgress })
    expect([offset, (await stat(path)).size]).toEqual([0, 200_000])
    expect(Buffer.compare(await readFile(path), shard.subarray(100_000, 300_000))).toBe(0)
    expect(seen.at(-1)).toMatchObject({ phase: 'download', label: weights, done: 200_000, total: 200_000 })

    it.hub.reset()
    const offline = await it.reopen({ offline: true }).openFiles('hf:owner/repo')
    expect(await offline.rangeFile(weights, 100_000, 300_000)).toEqual({ path, offset: 0 })
    expect(it.hub.requests).toEqual([])
  })

  test('takes up a file of bytes where it broke off', async () => {
    it.hub.inject({ on: 'cdn', cutAfterBytes: 65_536 })
    const withoutRetries = await it.reopen({ retries: 0 }).openFiles('hf:owner/repo')
    await expect(withoutRetries.rangeFile(weights, 0, 300_000)).rejects.toMatchObject({
      failure: 'interrupted',
    })
    it.hub.reset()
    const { path } = await (await it.store.openFiles('hf:owner/repo')).rangeFile(weights, 0, 300_000)
    expect(Buffer.compare(await readFile(path), shard.subarray(0, 300_000))).toBe(0)
    const [range, ...others] = cdnRequests().map(({ headers }) => headers.range)
    expect(others).toEqual([])
    // How much of what was sent before the cut arrived is the network's to say.
    expect(Number(/^bytes=(\d+)-299999$/.exec(range ?? '')?.[1])).toBeGreaterThan(0)
  })

  test('names the cached file itself where there is one', async () => {
    const files = await it.store.openFiles('hf:owner/repo')
    const path = await files.path(weights)
    expect(await files.rangeFile(weights, 5, 25)).toEqual({ path, offset: 5 })
    await expect(files.rangeFile(weights, 0, 400_001)).rejects.toThrow(/ends before byte 400001/)
  })

  test('a range that breaks is taken up again, also by the next start', async () => {
    it.hub.inject({ on: 'cdn', cutAfterBytes: 65_536 })
    const files = await it.store.openFiles('hf:owner/repo')
    expect(Buffer.compare(await files.range(weights, 10, 390_000), shard.subarray(10, 390_000))).toBe(0)

    it.hub.inject({ on: 'cdn', cutAfterBytes: 65_536 })
    const withoutRetries = await it.reopen({ retries: 0 }).openFiles('hf:owner/repo')
    await expect(withoutRetries.range(weights, 0, 300_000)).rejects.toMatchObject({ failure: 'interrupted' })
    it.hub.reset()
    expect(Buffer.compare(await files.range(weights, 0, 300_000), shard.subarray(0, 300_000))).toBe(0)
    const [range, ...others] = cdnRequests().map(({ headers }) => headers.range)
    expect(others).toEqual([])
    // How much of what was sent before the cut arrived is the network's to say.
    expect(Number(/^bytes=(\d+)-299999$/.exec(range ?? '')?.[1])).toBeGreaterThan(0)
  })

  test('a server that knows no ranges sends all, and the rest is dropped', async () => {
    it.hub.inject({ on: 'cdn', ignoreRange: true })
    const files = await it.store.openFiles('hf:owner/repo')
    expect(
      Buffer.compare(await files.range(weights, 150_000, 250_000), shard.subarray(150_000, 250_000)),
    ).toBe(0)
  })

  test('a range beyond the end is refused', async () => {
    const files = await it.store.openFiles('hf:owner/repo')
    await expect(files.range(weights, 500_000, 500_008)).rejects.toThrow(
      /\(416\): the server's file has 400000 bytes/,
    )
    await expect(files.range(weights, 5, 5)).rejects.toThrow(RangeError)
  })

  test('of a cached file bytes come from the disk', async () => {
    const files = await it.store.openFiles('hf:owner/repo')
    const path = await files.path(weights)
    expect(Buffer.compare(await readFile(path), shard)).toBe(0)
    it.hub.reset()
    expect(await files.range(weights, 5, 25)).toEqual(shard.slice(5, 25))
    await expect(files.range(weights, 0, 400_001)).rejects.toThrow(/ends before byte 400001/)
    expect(it.hub.requests).toEqual([])
  })

  test('stays at one commit while the branch moves on', async () => {
    const files = await it.store.openFiles('hf:owner/repo')
    it.hub.addRepository('owner/repo', { files: { 'config.json': '{}', other: 'x' } })
    expect(await files.text('config.json')).toBe(config)
    expect(await (await it.reopen().openFiles('hf:owner/repo')).list()).toContain(weights)
    expect(await (await it.store.openFiles('hf:owner/repo', { refresh: true })).list()).toEqual([
      'config.json',
      'other',
    ])
    expect(await listFolder(join(it.cacheDir, 'models--owner--repo', 'snapshots'))).toEqual([
      `${commit}/config.json`,
    ])
  })

  test('is not one file', async () => {
    await expect(it.store.openFiles(`hf:owner/repo/${weights}`)).rejects.toThrow(
      /is one file; .* write hf:owner\/repo/,
    )
    await expect(it.store.openFiles('wheel:a==1/b.gguf')).rejects.toMatchObject({ failure: 'invalid' })
  })
})

describe('a local folder', () => {
  test('gives the same', async () => {
    await mkdir(join(it.folder, 'model', 'sub'), { recursive: true })
    await writeFile(join(it.folder, 'model', 'config.json'), config)
    await writeFile(join(it.folder, 'model', 'sub', 'w.safetensors'), shard)
    const files = await it.store.openFiles('./model')
    expect(await files.list()).toEqual(['config.json', 'sub/w.safetensors'])
    expect(await files.text('config.json')).toBe(config)
    expect(await files.text('tokenizer.json')).toBeUndefined()
    expect(await files.text('../token')).toBeUndefined()
    expect(await files.size('sub/w.safetensors')).toBe(shard.length)
    expect(await files.range('sub/w.safetensors', 3, 8)).toEqual(shard.slice(3, 8))
    await expect(files.range('sub/w.safetensors', 0, 400_001)).rejects.toThrow(/ends before byte 400001/)
    const path = join(it.folder, 'model', 'sub', 'w.safetensors')
    expect(await files.rangeFile('sub/w.safetensors', 3, 8)).toEqual({ path, offset: 3 })
    await expect(files.rangeFile('sub/w.safetensors', 0, 400_001)).rejects.toThrow(/ends before byte 400001/)
    await expect(files.rangeFile('sub/w.safetensors', 8, 8)).rejects.toThrow(RangeError)
    await expect(files.path('conifg.json')).rejects.toThrow(
      /has no file 'conifg\.json'\. Did you mean: config\.json\?/,
    )
    await expect(files.path('../outside')).rejects.toMatchObject({ failure: 'not-found' })
    await expect(it.store.openFiles('./model/config.json')).rejects.toThrow(/is one file/)
    await expect(it.store.openFiles('./other')).rejects.toMatchObject({ failure: 'not-found' })
  })
})
