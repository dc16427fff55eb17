import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listFolder } from '../storage.ts'
import { type TestStore, openTestStore, progressLog, someBytes } from '../testing/test-store.ts'

const shard = someBytes(400_000)
const config = '{"model_type": "llama"}'

let testStore: TestStore
let commit: string
beforeEach(async () => {
  testStore = await openTestStore()
  const files = { 'config.json': config, 'model-00001-of-00002.safetensors': shard }
  commit = testStore.hub.addRepository('owner/repo', { files })
})
afterEach(() => testStore[Symbol.asyncDispose]())

const weights = 'model-00001-of-00002.safetensors'
const cdnRequests = () => testStore.hub.requests.filter(({ host }) => host === 'cdn')

describe('a repository', () => {
  it('lists its files, returns texts, and reports missing files', async () => {
    const files = await testStore.store.openFiles('hf:owner/repo')
    expect(files.description).toBe('owner/repo@main')
    expect(await files.list()).toEqual(['config.json', weights])
    expect(await files.text('config.json')).toBe(config)
    testStore.hub.reset()
    expect(await files.text('generation_config.json')).toBeUndefined()
    expect(testStore.hub.requests).toEqual([])
    await expect(files.path('nothing.bin')).rejects.toMatchObject({ failure: 'not-found' })
  })

  it('returns the path of a text, and refuses a file that is too long for one before it downloads it', async () => {
    const files = {
      'tokenizer.json': Buffer.alloc(64 * 2 ** 20 + 1),
      'config.json': config,
    }
    testStore.hub.addRepository('owner/long', { files })
    const long = await testStore.store.openFiles('hf:owner/long')
    expect(await readFile((await long.textPath('config.json'))!, 'utf8')).toBe(config)
    expect(await long.textPath('generation_config.json')).toBeUndefined()
    testStore.hub.reset()
    for (const attempt of [long.textPath('tokenizer.json'), long.text('tokenizer.json')])
      await expect(attempt).rejects.toMatchObject({ failure: 'corrupt' })
    expect(testStore.hub.requests).toEqual([])
  })

  it('knows the length of files without downloading them', async () => {
    const files = await testStore.store.openFiles('hf:owner/repo')
    expect(await files.size(weights)).toBe(shard.length)
    expect(cdnRequests()).toEqual([])
    await expect(files.size('nothing.bin')).rejects.toMatchObject({ failure: 'not-found' })
  })

  it('returns bytes of a file without the rest of it', async () => {
    const files = await testStore.store.openFiles('hf:owner/repo')
    const { seen, onProgress } = progressLog()
    const bytes = await files.range(weights, 100_000, 300_000, { onProgress })
    expect(Buffer.compare(bytes, shard.subarray(100_000, 300_000))).toBe(0)
    expect(cdnRequests().map(({ headers }) => headers.range)).toEqual(['bytes=100000-299999'])
    expect(seen.at(-1)).toMatchObject({ phase: 'download', label: weights, done: 200_000, total: 200_000 })
    expect(await testStore.store.list()).toMatchObject([
      { source: 'hf:owner/repo', files: [], sizeBytes: 200_000 },
    ])
  })

  it('keeps ranges: the next start needs no network', async () => {
    await (await testStore.store.openFiles('hf:owner/repo')).range(weights, 7, 9)
    const files = await testStore.reopen({ offline: true }).openFiles('hf:owner/repo')
    expect(await files.range(weights, 7, 9)).toEqual(shard.slice(7, 9))
    await expect(files.range(weights, 7, 10)).rejects.toMatchObject({ failure: 'offline' })
  })

  it('returns a file with only the requested bytes, and downloads them once', async () => {
    const files = await testStore.store.openFiles('hf:owner/repo')
    const { seen, onProgress } = progressLog()
    const { path, offset } = await files.rangeFile(weights, 100_000, 300_000, { onProgress })
    expect([offset, (await stat(path)).size]).toEqual([0, 200_000])
    expect(Buffer.compare(await readFile(path), shard.subarray(100_000, 300_000))).toBe(0)
    expect(seen.at(-1)).toMatchObject({ phase: 'download', label: weights, done: 200_000, total: 200_000 })

    testStore.hub.reset()
    const offline = await testStore.reopen({ offline: true }).openFiles('hf:owner/repo')
    expect(await offline.rangeFile(weights, 100_000, 300_000)).toEqual({ path, offset: 0 })
    expect(testStore.hub.requests).toEqual([])
  })

  it('resumes the download of a byte range', async () => {
    testStore.hub.inject({ on: 'cdn', cutAfterBytes: 65_536 })
    const withoutRetries = await testStore.reopen({ retries: 0 }).openFiles('hf:owner/repo')
    await expect(withoutRetries.rangeFile(weights, 0, 300_000)).rejects.toMatchObject({
      failure: 'interrupted',
    })
    testStore.hub.reset()
    const { path } = await (await testStore.store.openFiles('hf:owner/repo')).rangeFile(weights, 0, 300_000)
    expect(Buffer.compare(await readFile(path), shard.subarray(0, 300_000))).toBe(0)
    const [range, ...others] = cdnRequests().map(({ headers }) => headers.range)
    expect(others).toEqual([])
    // The amount that arrived before the cut depends on the network.
    expect(Number(/^bytes=(\d+)-299999$/.exec(range ?? '')?.[1])).toBeGreaterThan(0)
  })

  it('returns the cached file itself if there is one', async () => {
    const files = await testStore.store.openFiles('hf:owner/repo')
    const path = await files.path(weights)
    expect(await files.rangeFile(weights, 5, 25)).toEqual({ path, offset: 5 })
    await expect(files.rangeFile(weights, 0, 400_001)).rejects.toThrow(/ends before byte 400001/)
  })

  it('an interrupted range is resumed, also by the next start', async () => {
    testStore.hub.inject({ on: 'cdn', cutAfterBytes: 65_536 })
    const files = await testStore.store.openFiles('hf:owner/repo')
    expect(Buffer.compare(await files.range(weights, 10, 390_000), shard.subarray(10, 390_000))).toBe(0)

    testStore.hub.inject({ on: 'cdn', cutAfterBytes: 65_536 })
    const withoutRetries = await testStore.reopen({ retries: 0 }).openFiles('hf:owner/repo')
    await expect(withoutRetries.range(weights, 0, 300_000)).rejects.toMatchObject({ failure: 'interrupted' })
    testStore.hub.reset()
    expect(Buffer.compare(await files.range(weights, 0, 300_000), shard.subarray(0, 300_000))).toBe(0)
    const [range, ...others] = cdnRequests().map(({ headers }) => headers.range)
    expect(others).toEqual([])
    // The amount that arrived before the cut depends on the network.
    expect(Number(/^bytes=(\d+)-299999$/.exec(range ?? '')?.[1])).toBeGreaterThan(0)
  })

  it('a server without ranges sends the whole file, and the rest is dropped', async () => {
    testStore.hub.inject({ on: 'cdn', ignoreRange: true })
    const files = await testStore.store.openFiles('hf:owner/repo')
    expect(
      Buffer.compare(await files.range(weights, 150_000, 250_000), shard.subarray(150_000, 250_000)),
    ).toBe(0)
  })

  it('a range beyond the end is refused', async () => {
    const files = await testStore.store.openFiles('hf:owner/repo')
    await expect(files.range(weights, 500_000, 500_008)).rejects.toThrow(
      /\(416\): the server's file has 400000 bytes/,
    )
    await expect(files.range(weights, 5, 5)).rejects.toThrow(RangeError)
  })

  it('bytes of a cached file come from the disk', async () => {
    const files = await testStore.store.openFiles('hf:owner/repo')
    const path = await files.path(weights)
    expect(Buffer.compare(await readFile(path), shard)).toBe(0)
    testStore.hub.reset()
    expect(await files.range(weights, 5, 25)).toEqual(shard.slice(5, 25))
    await expect(files.range(weights, 0, 400_001)).rejects.toThrow(/ends before byte 400001/)
    expect(testStore.hub.requests).toEqual([])
  })

  it('stays at one commit while the branch moves on', async () => {
    const files = await testStore.store.openFiles('hf:owner/repo')
    testStore.hub.addRepository('owner/repo', { files: { 'config.json': '{}', other: 'x' } })
    expect(await files.text('config.json')).toBe(config)
    expect(await (await testStore.reopen().openFiles('hf:owner/repo')).list()).toContain(weights)
    expect(await (await testStore.store.openFiles('hf:owner/repo', { refresh: true })).list()).toEqual([
      'config.json',
      'other',
    ])
    expect(await listFolder(join(testStore.cacheDir, 'models--owner--repo', 'snapshots'))).toEqual([
      `${commit}/config.json`,
    ])
  })

  it('is not one file', async () => {
    await expect(testStore.store.openFiles(`hf:owner/repo/${weights}`)).rejects.toThrow(
      /is one file, .* write hf:owner\/repo/,
    )
    await expect(testStore.store.openFiles('wheel:a==1/b.gguf')).rejects.toMatchObject({ failure: 'invalid' })
  })
})

describe('a local folder', () => {
  it('has the same interface', async () => {
    await mkdir(join(testStore.folder, 'model', 'sub'), { recursive: true })
    await writeFile(join(testStore.folder, 'model', 'config.json'), config)
    await writeFile(join(testStore.folder, 'model', 'sub', 'w.safetensors'), shard)
    const files = await testStore.store.openFiles('./model')
    expect(await files.list()).toEqual(['config.json', 'sub/w.safetensors'])
    expect(await files.text('config.json')).toBe(config)
    expect(await files.text('tokenizer.json')).toBeUndefined()
    expect(await files.text('../token')).toBeUndefined()
    expect(await files.size('sub/w.safetensors')).toBe(shard.length)
    expect(await files.range('sub/w.safetensors', 3, 8)).toEqual(shard.slice(3, 8))
    await expect(files.range('sub/w.safetensors', 0, 400_001)).rejects.toThrow(/ends before byte 400001/)
    const path = join(testStore.folder, 'model', 'sub', 'w.safetensors')
    expect(await files.rangeFile('sub/w.safetensors', 3, 8)).toEqual({ path, offset: 3 })
    await expect(files.rangeFile('sub/w.safetensors', 0, 400_001)).rejects.toThrow(/ends before byte 400001/)
    await expect(files.rangeFile('sub/w.safetensors', 8, 8)).rejects.toThrow(RangeError)
    await expect(files.path('conifg.json')).rejects.toThrow(
      /has no file 'conifg\.json'\. Did you mean: config\.json\?/,
    )
    await expect(files.path('../outside')).rejects.toMatchObject({ failure: 'not-found' })
    await expect(testStore.store.openFiles('./model/config.json')).rejects.toThrow(/is one file/)
    await expect(testStore.store.openFiles('./other')).rejects.toMatchObject({ failure: 'not-found' })
  })
})
