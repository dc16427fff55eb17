import { lstat, mkdir, readFile, readlink, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { partialSuffix } from '../cache/download.ts'
import { blobNames } from '../testing/cached-files.ts'
import { outputOf, startChild } from '../testing/child-store.ts'
import { type TestStore, openTestStore, someBytes } from '../testing/test-store.ts'

const model = someBytes(50_000)
const sha256 = createHash('sha256').update(model).digest('hex')
const config = '{"a": 1}'
const gitSha1 = createHash('sha1').update(`blob ${config.length}\0${config}`).digest('hex')

let it: TestStore
let commit: string
beforeEach(async () => {
  it = await openTestStore()
  const files = { 'sub/model-Q4_0.gguf': model, 'config.json': config }
  commit = it.hub.addRepository('owner/repo', { files, revisions: ['main', 'refs/pr/1'] })
})
afterEach(() => it[Symbol.asyncDispose]())

const repo = (...parts: readonly string[]): string => join(it.cacheDir, 'models--owner--repo', ...parts)

/** try_to_load_from_cache of huggingface_hub/file_download.py, read plainly. */
async function asPythonFinds(revision: string, name: string): Promise<string> {
  const ref = await readFile(repo('refs', revision), 'utf8').catch(() => revision)
  return repo('snapshots', ref, name)
}

describe('the layout of huggingface_hub', () => {
  test('is what is written', async () => {
    const path = await it.store.resolveFile('hf:owner/repo/sub/model-Q4_0.gguf')
    await it.store.resolveFile('hf:owner/repo/config.json@refs/pr/1')
    expect(path).toBe(await asPythonFinds('main', 'sub/model-Q4_0.gguf'))
    expect(await readFile(await asPythonFinds('refs/pr/1', 'config.json'), 'utf8')).toBe(config)
    // Python compares the content of a ref with the name of a folder: no newline.
    expect(await readFile(repo('refs', 'main'), 'utf8')).toBe(commit)
    expect(await blobNames(it.cacheDir, 'owner/repo')).toEqual([sha256, gitSha1].sort())
    expect(await readlink(path)).toBe(join('..', '..', '..', 'blobs', sha256))
    expect(await realpath(path)).toBe(await realpath(repo('blobs', sha256)))
  })

  test('is what is read: a cache that another program filled needs no network', async () => {
    await mkdir(repo('refs'), { recursive: true })
    await mkdir(repo('blobs'))
    await mkdir(repo('snapshots', commit), { recursive: true })
    await writeFile(repo('refs', 'main'), commit)
    await writeFile(repo('blobs', sha256), model)
    await symlink(join('..', '..', 'blobs', sha256), repo('snapshots', commit, 'model.gguf'))
    await mkdir(repo('.no_exist', commit), { recursive: true })
    await writeFile(repo('.no_exist', commit, 'generation_config.json'), '')

    const store = it.reopen({ offline: true })
    expect(await store.resolveFile('hf:owner/repo/model.gguf', { sha256 })).toBe(
      repo('snapshots', commit, 'model.gguf'),
    )
    expect(await store.resolveFile('hf:owner/repo')).toBe(repo('snapshots', commit, 'model.gguf'))
    const files = await store.openFiles('hf:owner/repo')
    expect(await files.list()).toEqual(['model.gguf'])
    expect(await files.text('generation_config.json')).toBeUndefined()
    await expect(files.text('tokenizer.json')).rejects.toMatchObject({ failure: 'offline' })
    expect(it.hub.requests).toEqual([])
  })

  test('the same content under another commit is not fetched again', async () => {
    await it.store.resolveFile('hf:owner/repo/sub/model-Q4_0.gguf')
    const next = it.hub.addRepository('owner/repo', { files: { 'renamed.gguf': model, 'config.json': '{}' } })
    it.hub.reset()
    const path = await it.store.resolveFile('hf:owner/repo/renamed.gguf')
    expect(path).toBe(repo('snapshots', next, 'renamed.gguf'))
    expect(it.hub.requests.filter(({ host }) => host === 'cdn')).toEqual([])
  })

  test('a broken symlink is not taken for a file', async () => {
    const path = await it.store.resolveFile('hf:owner/repo/config.json')
    await rm(await realpath(path))
    expect(await readFile(await it.store.resolveFile('hf:owner/repo/config.json'), 'utf8')).toBe(config)
  })

  test('where symlinks are not permitted (Windows without the right), hard links are as good', async () => {
    // Node's permission model refuses relative symlinks, as Windows does.
    const flags = ['--permission', '--allow-fs-read=*', `--allow-fs-write=${it.folder}`]
    const source = 'hf:owner/repo/sub/model-Q4_0.gguf'
    const output = await outputOf(startChild(it, source, flags))
    const path = repo('snapshots', commit, 'sub', 'model-Q4_0.gguf')
    expect(output).toContain(`path ${path}`)
    expect((await lstat(path)).isFile()).toBe(true)
    const store = it.reopen({ offline: true })
    expect(await store.resolveFile(source, { sha256 })).toBe(path)
    expect(await store.list()).toMatchObject([{ sizeBytes: 50_000 }])
    await store.remove(source)
    expect(await store.list()).toEqual([])
  })
})

describe('a revision', () => {
  test('stays at its commit until it is refreshed', async () => {
    const first = await it.store.resolveFile('hf:owner/repo/config.json')
    const next = it.hub.addRepository('owner/repo', { files: { 'config.json': '{"b": 2}' } })
    expect(await it.store.resolveFile('hf:owner/repo/config.json')).toBe(first)
    const second = await it.store.resolveFile('hf:owner/repo/config.json', { refresh: true })
    expect(dirname(second)).toBe(repo('snapshots', next))
    expect(await readFile(second, 'utf8')).toBe('{"b": 2}')
    expect(await it.store.resolveFile('hf:owner/repo/config.json')).toBe(second)
    expect(await it.store.resolveFile(`hf:owner/repo/config.json@${commit}`)).toBe(first)
  })

  test('that moved to the file which the config expects is found without being told to refresh', async () => {
    await it.store.resolveFile('hf:owner/repo/config.json')
    it.hub.addRepository('owner/repo', { files: { 'config.json': '{"b": 2}' } })
    const wanted = createHash('sha256').update('{"b": 2}').digest('hex')
    const path = await it.store.resolveFile('hf:owner/repo/config.json', { sha256: wanted })
    expect(await readFile(path, 'utf8')).toBe('{"b": 2}')
    expect(it.warnings.join()).toMatch(/is another file than expected/)
  })

  test('that can not be refreshed is used as it is, with a warning', async () => {
    const path = await it.store.resolveFile('hf:owner/repo/config.json')
    const store = it.reopen({ offline: true })
    expect(await store.resolveFile('hf:owner/repo/config.json', { refresh: true })).toBe(path)
    expect(it.warnings.join()).toMatch(/Using what is cached/)
  })
})

describe('without the network', () => {
  test('what is missing is said, with how to get it', async () => {
    await expect(it.reopen({ offline: true }).resolveFile('hf:owner/repo/config.json')).rejects.toMatchObject(
      {
        failure: 'offline',
        message: expect.stringMatching(
          /owner\/repo\/config\.json is not on this machine, and the network is switched off \(HF_HUB_OFFLINE/,
        ),
      },
    )
    expect(it.hub.requests).toEqual([])
  })

  test('a Hub that is not there is said', async () => {
    const store = it.reopen({ endpoint: 'http://127.0.0.1:9' })
    await expect(store.resolveFile('hf:owner/repo/config.json')).rejects.toMatchObject({
      failure: 'unreachable',
      message: expect.stringMatching(/127\.0\.0\.1:9 can't be reached.*HTTPS_PROXY.*HF_ENDPOINT/),
    })
  })
})

describe('alternatives', () => {
  const good = 'hf:owner/repo/sub/model-Q4_0.gguf'

  test.each([
    ['not there', 'hf:owner/none/x.gguf'],
    ['no such file', 'hf:owner/repo/x.gguf'],
    ['another file', 'hf:owner/repo/config.json'],
    ['no local file', './missing.gguf'],
  ])('%s: the next one is used, with a warning', async (_, bad) => {
    const path = await it.store.resolveFile(`${bad} || ${good}`, { sha256 })
    expect(Buffer.compare(await readFile(path), model)).toBe(0)
    expect(it.warnings.join()).toContain(`Trying ${good}.`)
  })

  test('what is here already is used before the first one is asked', async () => {
    const path = await it.store.resolveFile(good)
    it.hub.reset()
    expect(await it.reopen().resolveFile(`hf:owner/other/x.gguf || ${good}`)).toBe(path)
    expect(it.hub.requests).toEqual([])
  })

  test('a Hub in trouble is not waited for long where there is another source', async () => {
    await writeFile(join(it.folder, 'local.gguf'), model)
    it.hub.inject({ on: 'resolve', status: 500, times: 20 })
    await it.store.resolveFile(`${good} || ./local.gguf || ./missing.gguf`, { refresh: true })
    expect(it.hub.requests.filter(({ method }) => method === 'HEAD')).toHaveLength(2)
  })

  test('if none works, each one says why', async () => {
    await expect(it.store.resolveFile('./missing.gguf || hf:owner/repo/x.gguf')).rejects.toThrow(
      /No source of the model works\.\n1\. \.\/missing\.gguf: There is no file.*\n2\. hf:owner\/repo\/x\.gguf: owner\/repo@main has no file/,
    )
  })
})

describe('list, info and remove', () => {
  test('show and delete what is there', async () => {
    const path = await it.store.resolveFile('hf:owner/repo:Q4_0')
    await it.store.resolveFile('hf:owner/repo/config.json')
    await writeFile(repo('blobs', `${'a'.repeat(64)}${partialSuffix}`), 'half')
    const [model, ...others] = await it.store.list()
    expect(others).toEqual([])
    expect(model).toMatchObject({ source: 'hf:owner/repo', type: 'hub', folder: repo(), partialBytes: 4 })
    expect(model?.files.map(({ name, revision, sizeBytes }) => [name, revision, sizeBytes])).toEqual([
      ['config.json', commit, 8],
      ['sub/model-Q4_0.gguf', commit, 50_000],
    ])
    const [info] = await it.store.info('hf:owner/repo')
    expect(info).toMatchObject({ commit, gated: false, sizeBytes: 50_008, cachedBytes: 50_008 })
    expect(info?.files).toContainEqual({ name: 'sub/model-Q4_0.gguf', sizeBytes: 50_000, path })

    const removed = await it.store.remove('hf:owner/repo:Q4_0')
    expect(removed).toEqual({ paths: [path], freedBytes: 50_000 })
    expect(await blobNames(it.cacheDir, 'owner/repo')).toEqual(
      [gitSha1, `${'a'.repeat(64)}${partialSuffix}`].sort(),
    )
    expect((await it.store.remove('hf:owner/repo')).paths).toEqual([repo()])
    expect(await it.store.list()).toEqual([])
    await expect(it.store.remove('hf:owner/repo')).rejects.toThrow(
      /Nothing of hf:owner\/repo is in the cache/,
    )
  })

  test('content that another commit shows too is kept', async () => {
    await it.store.resolveFile('hf:owner/repo/sub/model-Q4_0.gguf')
    it.hub.addRepository('owner/repo', { files: { 'renamed.gguf': model } })
    const renamed = await it.store.resolveFile('hf:owner/repo/renamed.gguf')
    expect(await it.store.remove('hf:owner/repo/sub/model-Q4_0.gguf')).toMatchObject({ freedBytes: 0 })
    expect(Buffer.compare(await readFile(renamed), model)).toBe(0)
  })

  test('info tells why there is no more to tell', async () => {
    const [info] = await it.reopen({ offline: true }).info('hf:owner/repo:Q4_0')
    expect(info).toMatchObject({ files: [], cachedBytes: 0, detail: expect.stringContaining('switched off') })
  })

  test('a local path is described, and never deleted', async () => {
    await writeFile(join(it.folder, 'a.gguf'), 'abc')
    expect(await it.store.info('~/a.gguf')).toMatchObject([{ type: 'local', sizeBytes: 3, cachedBytes: 3 }])
    await expect(it.store.remove('./a.gguf')).rejects.toThrow(/delete it yourself/)
  })
})

describe('local files', () => {
  test('are used where they are', async () => {
    await writeFile(join(it.folder, 'a.gguf'), model)
    expect(await it.store.resolveFile('a.gguf', { sha256 })).toBe(join(it.folder, 'a.gguf'))
    await expect(it.store.resolveFile('~/a.gguf', { sha256: '0'.repeat(64) })).rejects.toMatchObject({
      failure: 'corrupt',
    })
  })

  test('of a folder the GGUF is chosen', async () => {
    await writeFile(join(it.folder, 'm-Q4_K_M.gguf'), model)
    await writeFile(join(it.folder, 'm-Q8_0.gguf'), model)
    expect(await it.store.resolveFile(it.folder)).toBe(join(it.folder, 'm-Q4_K_M.gguf'))
  })
})

test('a split GGUF comes with all its parts, beside one another', async () => {
  const names = [1, 2, 3].map((part) => `big-Q4_K_M-0000${part}-of-00003.gguf`)
  it.hub.addRepository('owner/split', {
    files: Object.fromEntries(names.map((name, i) => [name, someBytes(2000, i + 1)])),
  })
  const path = await it.store.resolveFile('hf:owner/split')
  expect(path.endsWith(names[0] ?? '')).toBe(true)
  for (const [i, name] of names.entries()) {
    expect(Buffer.compare(await readFile(join(dirname(path), name)), someBytes(2000, i + 1))).toBe(0)
  }
})
