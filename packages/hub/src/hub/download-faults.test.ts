import { readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LoadProgress } from '@petals-chat/engine'
import { partialSuffix } from '../cache/download.ts'
import { makeFolder } from '../storage.ts'
import { blobNames, partialFiles } from '../testing/cached-files.ts'
import { type TestStore, openTestStore, progressLog, someBytes } from '../testing/test-store.ts'

const size = 300_000
const model = someBytes(size)
const sha256 = createHash('sha256').update(model).digest('hex')
const source = 'hf:owner/repo/model.gguf'

let testStore: TestStore
beforeEach(async () => {
  testStore = await openTestStore()
  testStore.hub.addRepository('owner/repo', { files: { 'model.gguf': model, 'config.json': '{"a": 1}' } })
})
afterEach(() => testStore[Symbol.asyncDispose]())

const cdnRanges = (): readonly (string | undefined)[] =>
  testStore.hub.requests.filter(({ host }) => host === 'cdn').map(({ headers }) => headers.range)

async function expectModel(path: string): Promise<void> {
  expect(Buffer.compare(await readFile(path), model)).toBe(0)
  expect(await partialFiles(testStore.cacheDir)).toEqual([])
  expect(await blobNames(testStore.cacheDir, 'owner/repo')).toEqual([sha256])
}

/** Leaves a partial file, as a killed process does. */
async function leavePartial(bytes: Uint8Array, etag = sha256): Promise<string> {
  const blobs = join(testStore.cacheDir, 'models--owner--repo', 'blobs')
  await makeFolder(blobs)
  await writeFile(join(blobs, etag + partialSuffix), bytes)
  return join(blobs, etag + partialSuffix)
}

it('a file is downloaded and checked, with progress; a second time no request is made', async () => {
  const { seen, onProgress } = progressLog()
  await expectModel(await testStore.store.resolveFile(source, { sha256, onProgress }))
  expect(seen[0]).toEqual({ phase: 'download', label: 'model.gguf', done: 0, total: size, unit: 'bytes' })
  expect(seen.at(-1)).toMatchObject({ phase: 'download', done: size, total: size })
  testStore.hub.reset()
  await expectModel(await testStore.reopen().resolveFile(source, { sha256 }))
  expect(testStore.hub.requests).toEqual([])
})

it('progress is reported about four times a second', async () => {
  testStore.hub.inject({ on: 'cdn', bytesPerSecond: size })
  const { seen, onProgress } = progressLog()
  await testStore.store.resolveFile(source, { onProgress })
  expect(seen.length).toBeGreaterThanOrEqual(4)
  expect(seen.length).toBeLessThanOrEqual(9)
})

describe('a connection that breaks', () => {
  it('is resumed where it broke, with Range and If-Range', async () => {
    testStore.hub.inject({ on: 'cdn', cutAfterBytes: 100_000 })
    testStore.hub.inject({ on: 'cdn', cutAfterBytes: 50_000 })
    await expectModel(await testStore.store.resolveFile(source, { sha256 }))
    const [first, second, third] = testStore.hub.requests.filter(({ host }) => host === 'cdn')
    expect(first?.headers.range).toBeUndefined()
    expect(second?.headers).toMatchObject({
      range: `bytes=100000-${size - 1}`,
      'if-range': expect.stringMatching(/^"cdn-/),
    })
    expect(third?.headers.range).toBe(`bytes=150000-${size - 1}`)
    expect(testStore.warnings.filter((text) => /connection was cut/.test(text))).toHaveLength(2)
  })

  it('and stays broken: the part is kept, reported, and used at the next start', async () => {
    testStore.hub.inject({ on: 'cdn', cutAfterBytes: 120_000 })
    testStore.hub.inject({ on: 'cdn', cutAfterBytes: 0, times: 4 })
    const attempt = testStore.reopen({ retries: 3 }).resolveFile(source, { sha256 })
    await expect(attempt).rejects.toMatchObject({
      name: 'ModelSourceError',
      code: 'model_unavailable',
      failure: 'interrupted',
      message: expect.stringMatching(
        /stopped at 120 kB of 300 kB: .*the connection was cut .* These 120 kB are kept: run again/,
      ),
    })
    expect(await blobNames(testStore.cacheDir, 'owner/repo')).toEqual([sha256 + partialSuffix])
    expect((await stat((await partialFiles(testStore.cacheDir))[0] ?? '')).size).toBe(120_000)

    testStore.hub.reset()
    const { seen, onProgress } = progressLog()
    await expectModel(await testStore.reopen().resolveFile(source, { sha256, onProgress }))
    expect(cdnRanges()).toEqual([`bytes=120000-${size - 1}`])
    expect(seen.find(({ phase }) => phase === 'download')?.done).toBe(120_000)
  })

  it('progress between failures resets the count: many short pieces make a whole file', async () => {
    testStore.hub.inject({ on: 'cdn', cutAfterBytes: 40_000, times: 7 })
    await expectModel(await testStore.reopen({ retries: 1 }).resolveFile(source, { sha256 }))
    expect(cdnRanges()).toHaveLength(8)
  })

  it('a stalled connection counts as broken', async () => {
    testStore.hub.inject({ on: 'cdn', hangAfterBytes: 100_000 })
    await expectModel(await testStore.reopen({ stallTimeoutMs: 200 }).resolveFile(source, { sha256 }))
    expect(cdnRanges()).toEqual([undefined, `bytes=100000-${size - 1}`])
    expect(testStore.warnings.join()).toMatch(/no data for 0.2 s/)
  })

  it('a server that never answers fails after the time limit', async () => {
    testStore.hub.inject({ on: 'cdn', hangAfterBytes: 0, times: 2 })
    const attempt = testStore.reopen({ requestTimeoutMs: 150, retries: 1 }).resolveFile(source)
    await expect(attempt).rejects.toThrow(/did not answer within 0.15 s/)
  })
})

describe('a part from an earlier start', () => {
  it('is completed', async () => {
    await leavePartial(model.subarray(0, 200_000))
    await expectModel(await testStore.store.resolveFile(source))
    expect(cdnRanges()).toEqual([`bytes=200000-${size - 1}`])
  })

  it('that is complete is only checked', async () => {
    await leavePartial(model)
    await expectModel(await testStore.store.resolveFile(source))
    expect(cdnRanges()).toEqual([])
  })

  it('that is longer than the file is dropped', async () => {
    await leavePartial(someBytes(size + 1))
    await expectModel(await testStore.store.resolveFile(source))
    expect(cdnRanges()).toEqual([undefined])
  })

  it('that is corrupt is detected and deleted, and the next start succeeds', async () => {
    const partial = await leavePartial(someBytes(1000, 99))
    await expect(testStore.store.resolveFile(source)).rejects.toMatchObject({
      failure: 'corrupt',
      message: expect.stringMatching(
        /failed verification: its sha256 is [0-9a-f]{64}, expected .* It was deleted; run again/,
      ),
    })
    await expect(stat(partial)).rejects.toThrow('ENOENT')
    await expectModel(await testStore.store.resolveFile(source))
  })

  it('is also used if the server does not support ranges', async () => {
    await leavePartial(model.subarray(0, 200_000))
    testStore.hub.inject({ on: 'cdn', ignoreRange: true })
    await expectModel(await testStore.store.resolveFile(source))
  })
})

describe('wrong content', () => {
  it('is never used: a byte is wrong', async () => {
    testStore.hub.inject({ on: 'cdn', corrupt: true })
    await expect(testStore.store.resolveFile(source)).rejects.toMatchObject({ failure: 'corrupt' })
    expect(await blobNames(testStore.cacheDir, 'owner/repo')).toEqual([])
    await expectModel(await testStore.store.resolveFile(source))
  })

  it('a byte of a small file is wrong: git hash', async () => {
    testStore.hub.inject({ on: 'resolve', method: 'GET', path: /resolve-cache/, corrupt: true })
    await expect(testStore.store.resolveFile('hf:owner/repo/config.json')).rejects.toThrow(
      /its git blob sha1 is/,
    )
    expect(await readFile(await testStore.store.resolveFile('hf:owner/repo/config.json'), 'utf8')).toBe(
      '{"a": 1}',
    )
  })

  it('the server sends a shorter file', async () => {
    testStore.hub.inject({ on: 'cdn', body: 'a login page' })
    await expect(testStore.store.resolveFile(source)).rejects.toThrow(
      /has 12 bytes on the server, 300000 were announced/,
    )
  })

  it('the file became shorter than the part that is here: 416', async () => {
    await leavePartial(model.subarray(0, 200_000))
    testStore.hub.inject({ on: 'cdn', status: 416, headers: { 'content-range': 'bytes */150000' } })
    // A permanent refusal of the storage, unlike that of an expired link.
    await expect(testStore.store.resolveFile(source)).rejects.toThrow(
      /\(416\): the server's file has 150000 bytes/,
    )
    expect(await partialFiles(testStore.cacheDir)).toEqual([])
  })

  it('a hash other than configured: detected before the download', async () => {
    const other = '0'.repeat(64)
    await expect(testStore.store.resolveFile(source, { sha256: other })).rejects.toMatchObject({
      failure: 'corrupt',
      message: expect.stringContaining(`its sha256 is ${sha256}, not ${other}`),
    })
    expect(cdnRanges()).toEqual([])
  })

  it('a hash other than expected, if the Hub does not send it: detected after the download, deleted', async () => {
    const attempt = testStore.store.resolveFile('hf:owner/repo/config.json', { sha256: '0'.repeat(64) })
    await expect(attempt).rejects.toThrow(/expected 0{64}\. It was deleted/)
    expect(await blobNames(testStore.cacheDir, 'owner/repo')).toEqual([])
  })
})

describe('a server in trouble', () => {
  it.each([500, 503, 429, 408])('%i passes', async (status) => {
    testStore.hub.inject({ on: 'resolve', status, times: 2 })
    testStore.hub.inject({ on: 'cdn', status })
    await expectModel(await testStore.store.resolveFile(source))
    expect(testStore.warnings).toHaveLength(3)
  })

  it('a permanent 503 is reported', async () => {
    testStore.hub.inject({ on: 'resolve', status: 503, times: 9 })
    await expect(testStore.reopen({ retries: 2 }).resolveFile(source)).rejects.toMatchObject({
      failure: 'interrupted',
      message: expect.stringMatching(
        /owner\/repo\/model\.gguf could not be downloaded: .* answers 503 \(overloaded or in maintenance\)/,
      ),
    })
    expect(testStore.hub.requests.filter(({ method }) => method === 'HEAD')).toHaveLength(3)
  })

  it('Retry-After is obeyed, unless it is too long for a user to wait', async () => {
    testStore.hub.inject({ on: 'resolve', status: 429, headers: { 'retry-after': '1' } })
    const start = performance.now()
    await testStore.store.resolveFile(source)
    expect(performance.now() - start).toBeGreaterThan(950)
    testStore.hub.inject({ on: 'resolve', status: 429, headers: { 'retry-after': '600' } })
    await expect(testStore.store.resolveFile('hf:owner/repo/config.json')).rejects.toThrow(
      /429 \(too many requests\) and asks to wait 600 s/,
    )
  })

  it('an expired link to the storage is requested again', async () => {
    testStore.hub.inject({ on: 'cdn', status: 403 })
    await expectModel(await testStore.store.resolveFile(source))
  })

  it('an interrupted description is requested again', async () => {
    testStore.hub.inject({ on: 'api', path: /revision/, hangAfterBytes: 10 })
    testStore.hub.inject({ on: 'api', path: /revision/, cutAfterBytes: 10 })
    const files = await testStore.reopen({ requestTimeoutMs: 100 }).openFiles('hf:owner/repo')
    expect(await files.list()).toEqual(['model.gguf', 'config.json'])
  })

  it('a login page instead of the Hub is recognized', async () => {
    testStore.hub.inject({ on: 'resolve', status: 200, body: '<html>', times: 2 })
    await expect(testStore.store.resolveFile(source)).rejects.toThrow(
      /does not answer like the Hugging Face Hub.*HF_ENDPOINT/,
    )
  })
})

describe('this machine', () => {
  it.runIf(process.platform === 'linux')(
    'a disk that becomes full: reported, and the part is kept',
    async () => {
      const blobs = join(testStore.cacheDir, 'models--owner--repo', 'blobs')
      await makeFolder(blobs)
      // The device that is always full.
      await symlink('/dev/full', join(blobs, sha256 + partialSuffix))
      await expect(testStore.store.resolveFile(source)).rejects.toMatchObject({
        failure: 'storage',
        message: expect.stringMatching(
          /The disk is full while writing to .*\(ENOSPC\)\. The downloaded part is kept: free some space/,
        ),
      })
    },
  )

  it('a file that can never fit is not started', async () => {
    const huge = {
      'x-linked-size': String(2 ** 52),
      'x-linked-etag': `"${sha256}"`,
      'x-repo-commit': '0'.repeat(40),
    }
    testStore.hub.inject({
      on: 'resolve',
      status: 302,
      headers: { ...huge, location: `${testStore.hub.cdnUrl}/x` },
    })
    await expect(testStore.store.resolveFile(source)).rejects.toThrow(
      /The disk is too full: 4504 TB remain to be downloaded .* are free/,
    )
    expect(cdnRanges()).toEqual([])
  })

  it('a cache that is not a folder: reported, with the setting to change', async () => {
    await writeFile(join(testStore.folder, 'file'), '')
    const store = testStore.reopen({ cacheDir: join(testStore.folder, 'file', 'cache') })
    await expect(store.resolveFile(source)).rejects.toMatchObject({
      failure: 'storage',
      message: expect.stringMatching(/can't be written to \(ENOTDIR\).*HF_HUB_CACHE/),
    })
  })

  it('a cancelled download stops at once, with the reason, and keeps its part', async () => {
    testStore.hub.inject({ on: 'cdn', bytesPerSecond: 100_000 })
    const abort = new AbortController()
    const reason = new Error('enough')
    const onProgress = ({ phase, done }: LoadProgress) => {
      if (phase === 'download' && done > 20_000) abort.abort(reason)
    }
    await expect(testStore.store.resolveFile(source, { signal: abort.signal, onProgress })).rejects.toBe(
      reason,
    )
    expect((await stat((await partialFiles(testStore.cacheDir))[0] ?? '')).size).toBeGreaterThan(5_000)
    await expectModel(await testStore.store.resolveFile(source))
  })
})
