import { lstat, mkdir, readFile, readlink, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { partialSuffix } from '../cache/download.ts'
import { blobNames } from '../testing/cached-files.ts'
import { outputOf, startChild } from '../testing/child-store.ts'
import { type TestStore, openTestStore, someBytes } from '../testing/test-store.ts'

const model = someBytes(50_000)
const sha256 = createHash('sha256').update(model).digest('hex')
const config = '{"a": 1}'
const gitSha1 = createHash('sha1').update(`blob ${config.length}\0${config}`).digest('hex')

let testStore: TestStore
let commit: string
beforeEach(async () => {
  testStore = await openTestStore()
  const files = { 'sub/model-Q4_0.gguf': model, 'config.json': config }
  commit = testStore.hub.addRepository('owner/repo', { files, revisions: ['main', 'refs/pr/1'] })
})
afterEach(() => testStore[Symbol.asyncDispose]())

const repo = (...parts: readonly string[]): string =>
  join(testStore.cacheDir, 'models--owner--repo', ...parts)

/** try_to_load_from_cache of huggingface_hub/file_download.py, simplified. */
async function asPythonFinds(revision: string, name: string): Promise<string> {
  const ref = await readFile(repo('refs', revision), 'utf8').catch(() => revision)
  return repo('snapshots', ref, name)
}

describe('the layout of huggingface_hub', () => {
  it('is what is written', async () => {
    const path = await testStore.store.resolveFile('hf:owner/repo/sub/model-Q4_0.gguf')
    await testStore.store.resolveFile('hf:owner/repo/config.json@refs/pr/1')
    expect(path).toBe(await asPythonFinds('main', 'sub/model-Q4_0.gguf'))
    expect(await readFile(await asPythonFinds('refs/pr/1', 'config.json'), 'utf8')).toBe(config)
    // Python compares the content of a ref with the name of a folder: no newline.
    expect(await readFile(repo('refs', 'main'), 'utf8')).toBe(commit)
    expect(await blobNames(testStore.cacheDir, 'owner/repo')).toEqual([sha256, gitSha1].sort())
    expect(await readlink(path)).toBe(join('..', '..', '..', 'blobs', sha256))
    expect(await realpath(path)).toBe(await realpath(repo('blobs', sha256)))
  })

  it('is what is read: a cache that another program filled needs no network', async () => {
    await mkdir(repo('refs'), { recursive: true })
    await mkdir(repo('blobs'))
    await mkdir(repo('snapshots', commit), { recursive: true })
    await writeFile(repo('refs', 'main'), commit)
    await writeFile(repo('blobs', sha256), model)
    await symlink(join('..', '..', 'blobs', sha256), repo('snapshots', commit, 'model.gguf'))
    await mkdir(repo('.no_exist', commit), { recursive: true })
    await writeFile(repo('.no_exist', commit, 'generation_config.json'), '')

    const store = testStore.reopen({ offline: true })
    expect(await store.resolveFile('hf:owner/repo/model.gguf', { sha256 })).toBe(
      repo('snapshots', commit, 'model.gguf'),
    )
    expect(await store.resolveFile('hf:owner/repo')).toBe(repo('snapshots', commit, 'model.gguf'))
    const files = await store.openFiles('hf:owner/repo')
    expect(await files.list()).toEqual(['model.gguf'])
    expect(await files.text('generation_config.json')).toBeUndefined()
    await expect(files.text('tokenizer.json')).rejects.toMatchObject({ failure: 'offline' })
    expect(testStore.hub.requests).toEqual([])
  })

  it('the same content under another commit is not fetched again', async () => {
    await testStore.store.resolveFile('hf:owner/repo/sub/model-Q4_0.gguf')
    const next = testStore.hub.addRepository('owner/repo', {
      files: { 'renamed.gguf': model, 'config.json': '{}' },
    })
    testStore.hub.reset()
    const path = await testStore.store.resolveFile('hf:owner/repo/renamed.gguf')
    expect(path).toBe(repo('snapshots', next, 'renamed.gguf'))
    expect(testStore.hub.requests.filter(({ host }) => host === 'cdn')).toEqual([])
  })

  it('a broken symlink is not taken for a file', async () => {
    const path = await testStore.store.resolveFile('hf:owner/repo/config.json')
    await rm(await realpath(path))
    expect(await readFile(await testStore.store.resolveFile('hf:owner/repo/config.json'), 'utf8')).toBe(
      config,
    )
  })

  it('without permission for symlinks (as on Windows), hard links work as well', async () => {
    const flags = ['--import', `data:text/javascript,${encodeURIComponent(refuseSymlinks)}`]
    const source = 'hf:owner/repo/sub/model-Q4_0.gguf'
    const output = await outputOf(startChild(testStore, source, flags))
    const path = repo('snapshots', commit, 'sub', 'model-Q4_0.gguf')
    expect(output).toContain(`path ${path}`)
    expect((await lstat(path)).isFile()).toBe(true)
    const store = testStore.reopen({ offline: true })
    expect(await store.resolveFile(source, { sha256 })).toBe(path)
    expect(await store.list()).toMatchObject([{ sizeBytes: 50_000 }])
    await store.remove(source)
    expect(await store.list()).toEqual([])
  })
})

/** Loaded before a child's program: symlinks fail as on Windows without the permission for them. */
const refuseSymlinks = `
  import fs from 'node:fs'
  import { syncBuiltinESMExports } from 'node:module'
  fs.promises.symlink = async () => {
    throw Object.assign(new Error('EPERM: operation not permitted, symlink'), { code: 'EPERM' })
  }
  syncBuiltinESMExports()`

describe('a revision', () => {
  it('stays at its commit until it is refreshed', async () => {
    const first = await testStore.store.resolveFile('hf:owner/repo/config.json')
    const next = testStore.hub.addRepository('owner/repo', { files: { 'config.json': '{"b": 2}' } })
    expect(await testStore.store.resolveFile('hf:owner/repo/config.json')).toBe(first)
    const second = await testStore.store.resolveFile('hf:owner/repo/config.json', { refresh: true })
    expect(dirname(second)).toBe(repo('snapshots', next))
    expect(await readFile(second, 'utf8')).toBe('{"b": 2}')
    expect(await testStore.store.resolveFile('hf:owner/repo/config.json')).toBe(second)
    expect(await testStore.store.resolveFile(`hf:owner/repo/config.json@${commit}`)).toBe(first)
  })

  it('that moved to the file which the config expects is found without `refresh`', async () => {
    await testStore.store.resolveFile('hf:owner/repo/config.json')
    testStore.hub.addRepository('owner/repo', { files: { 'config.json': '{"b": 2}' } })
    const wanted = createHash('sha256').update('{"b": 2}').digest('hex')
    const path = await testStore.store.resolveFile('hf:owner/repo/config.json', { sha256: wanted })
    expect(await readFile(path, 'utf8')).toBe('{"b": 2}')
    expect(testStore.warnings.join()).toMatch(/is not the expected file/)
  })

  it('that cannot be refreshed is used from the cache, with a warning', async () => {
    const path = await testStore.store.resolveFile('hf:owner/repo/config.json')
    const store = testStore.reopen({ offline: true })
    expect(await store.resolveFile('hf:owner/repo/config.json', { refresh: true })).toBe(path)
    expect(testStore.warnings.join()).toMatch(/Using the cached files/)
  })
})

describe('without the network', () => {
  it('missing files are reported, with how to get them', async () => {
    await expect(
      testStore.reopen({ offline: true }).resolveFile('hf:owner/repo/config.json'),
    ).rejects.toMatchObject({
      failure: 'offline',
      message: expect.stringMatching(
        /owner\/repo\/config\.json is not on this machine, and the network is switched off \(HF_HUB_OFFLINE/,
      ),
    })
    expect(testStore.hub.requests).toEqual([])
  })

  it('an unreachable Hub is reported', async () => {
    const store = testStore.reopen({ endpoint: 'http://127.0.0.1:9' })
    await expect(store.resolveFile('hf:owner/repo/config.json')).rejects.toMatchObject({
      failure: 'unreachable',
      message: expect.stringMatching(/127\.0\.0\.1:9 can't be reached.*HTTPS_PROXY.*HF_ENDPOINT/),
    })
  })
})

describe('alternatives', () => {
  const good = 'hf:owner/repo/sub/model-Q4_0.gguf'

  it.each([
    ['not there', 'hf:owner/none/x.gguf'],
    ['no such file', 'hf:owner/repo/x.gguf'],
    ['another file', 'hf:owner/repo/config.json'],
    ['no local file', './missing.gguf'],
  ])('%s: the next one is used, with a warning', async (_, bad) => {
    const path = await testStore.store.resolveFile(`${bad} || ${good}`, { sha256 })
    expect(Buffer.compare(await readFile(path), model)).toBe(0)
    expect(testStore.warnings.join()).toContain(`Trying ${good}.`)
  })

  it('a cached alternative is used before the first one is requested', async () => {
    const path = await testStore.store.resolveFile(good)
    testStore.hub.reset()
    expect(await testStore.reopen().resolveFile(`hf:owner/other/x.gguf || ${good}`)).toBe(path)
    expect(testStore.hub.requests).toEqual([])
  })

  it('a failing Hub causes no long wait if there is another source', async () => {
    await writeFile(join(testStore.folder, 'local.gguf'), model)
    testStore.hub.inject({ on: 'resolve', status: 500, times: 20 })
    await testStore.store.resolveFile(`${good} || ./local.gguf || ./missing.gguf`, { refresh: true })
    expect(testStore.hub.requests.filter(({ method }) => method === 'HEAD')).toHaveLength(2)
  })

  it('if none works, the reason for each is reported', async () => {
    await expect(testStore.store.resolveFile('./missing.gguf || hf:owner/repo/x.gguf')).rejects.toThrow(
      /No source of the model works\.\n1\. \.\/missing\.gguf: There is no file.*\n2\. hf:owner\/repo\/x\.gguf: owner\/repo@main has no file/,
    )
  })
})

describe('list, info and remove', () => {
  it('show and delete cached files', async () => {
    const path = await testStore.store.resolveFile('hf:owner/repo:Q4_0')
    await testStore.store.resolveFile('hf:owner/repo/config.json')
    await writeFile(repo('blobs', `${'a'.repeat(64)}${partialSuffix}`), 'half')
    const [model, ...others] = await testStore.store.list()
    expect(others).toEqual([])
    expect(model).toMatchObject({ source: 'hf:owner/repo', type: 'hub', folder: repo(), partialBytes: 4 })
    expect(model?.files.map(({ name, revision, sizeBytes }) => [name, revision, sizeBytes])).toEqual([
      ['config.json', commit, 8],
      ['sub/model-Q4_0.gguf', commit, 50_000],
    ])
    const [info] = await testStore.store.info('hf:owner/repo')
    expect(info).toMatchObject({ commit, gated: false, sizeBytes: 50_008, cachedBytes: 50_008 })
    expect(info?.files).toContainEqual({ name: 'sub/model-Q4_0.gguf', sizeBytes: 50_000, path })

    const removed = await testStore.store.remove('hf:owner/repo:Q4_0')
    expect(removed).toEqual({ paths: [path], freedBytes: 50_000 })
    expect(await blobNames(testStore.cacheDir, 'owner/repo')).toEqual(
      [gitSha1, `${'a'.repeat(64)}${partialSuffix}`].sort(),
    )
    expect((await testStore.store.remove('hf:owner/repo')).paths).toEqual([repo()])
    expect(await testStore.store.list()).toEqual([])
    await expect(testStore.store.remove('hf:owner/repo')).rejects.toThrow(
      /Nothing of hf:owner\/repo is in the cache/,
    )
  })

  it('content that another commit also uses is kept', async () => {
    await testStore.store.resolveFile('hf:owner/repo/sub/model-Q4_0.gguf')
    testStore.hub.addRepository('owner/repo', { files: { 'renamed.gguf': model } })
    const renamed = await testStore.store.resolveFile('hf:owner/repo/renamed.gguf')
    expect(await testStore.store.remove('hf:owner/repo/sub/model-Q4_0.gguf')).toMatchObject({ freedBytes: 0 })
    expect(Buffer.compare(await readFile(renamed), model)).toBe(0)
  })

  it('info tells why details are missing', async () => {
    const [info] = await testStore.reopen({ offline: true }).info('hf:owner/repo:Q4_0')
    expect(info).toMatchObject({ files: [], cachedBytes: 0, detail: expect.stringContaining('switched off') })
  })

  it('a local path is described, and never deleted', async () => {
    await writeFile(join(testStore.folder, 'a.gguf'), 'abc')
    expect(await testStore.store.info('~/a.gguf')).toMatchObject([
      { type: 'local', sizeBytes: 3, cachedBytes: 3 },
    ])
    await expect(testStore.store.remove('./a.gguf')).rejects.toThrow(/delete it yourself/)
  })
})

describe('local files', () => {
  it('are used where they are', async () => {
    await writeFile(join(testStore.folder, 'a.gguf'), model)
    expect(await testStore.store.resolveFile('a.gguf', { sha256 })).toBe(join(testStore.folder, 'a.gguf'))
    await expect(testStore.store.resolveFile('~/a.gguf', { sha256: '0'.repeat(64) })).rejects.toMatchObject({
      failure: 'corrupt',
    })
  })

  it('of a folder the GGUF is chosen', async () => {
    await writeFile(join(testStore.folder, 'm-Q4_K_M.gguf'), model)
    await writeFile(join(testStore.folder, 'm-Q8_0.gguf'), model)
    expect(await testStore.store.resolveFile(testStore.folder)).toBe(join(testStore.folder, 'm-Q4_K_M.gguf'))
  })
})

it('a split GGUF is downloaded with all its parts, into one folder', async () => {
  const names = [1, 2, 3].map((part) => `big-Q4_K_M-0000${part}-of-00003.gguf`)
  testStore.hub.addRepository('owner/split', {
    files: Object.fromEntries(names.map((name, i) => [name, someBytes(2000, i + 1)])),
  })
  const path = await testStore.store.resolveFile('hf:owner/split')
  expect(path.endsWith(names[0] ?? '')).toBe(true)
  for (const [i, name] of names.entries()) {
    expect(Buffer.compare(await readFile(join(dirname(path), name)), someBytes(2000, i + 1))).toBe(0)
  }
})
