import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type TestStore, openTestStore, someBytes } from '../testing/test-store.ts'

const model = someBytes(50_000)

let it: TestStore
beforeEach(async () => {
  it = await openTestStore()
})
afterEach(() => it[Symbol.asyncDispose]())

describe('a gated repository', () => {
  const source = 'hf:meta/llama/model.safetensors'
  beforeEach(() => {
    it.hub.addRepository('meta/llama', {
      files: { 'model.safetensors': model, 'config.json': '{}' },
      license: 'llama2',
      gate: { tokens: ['hf_good'] },
    })
  })

  test('without a token: which page, which licence, which variable', async () => {
    await expect(it.store.resolveFile(source)).rejects.toMatchObject({
      failure: 'gated',
      message:
        'meta/llama is open only to those who have accepted its licence (llama2). ' +
        `Open ${it.hub.url}/meta/llama, log in and accept it; make a token that may read at ${it.hub.url}/settings/tokens; ` +
        'set the variable HF_TOKEN to it and start again.',
    })
  })

  test('with a token whose account has not accepted: to accept, with the words of the Hub', async () => {
    const attempt = it.reopen({ token: 'hf_other' }).resolveFile(source)
    await expect(attempt).rejects.toMatchObject({
      failure: 'gated',
      message: expect.stringMatching(
        /\(llama2\), and the account of your HF_TOKEN has not, .*Open .*\/meta\/llama with that account.*The Hub says: Access to model/,
      ),
    })
  })

  test('with a token that is no good: a new one', async () => {
    const attempt = it.reopen({ token: 'invalid' }).resolveFile(source)
    await expect(attempt).rejects.toMatchObject({
      failure: 'gated',
      message: expect.stringMatching(
        /refuses the token in HF_TOKEN .*Invalid credentials.*make a new one at/,
      ),
    })
  })

  test('opens with the right token, which goes to the Hub only', async () => {
    const path = await it.reopen({ token: 'hf_good' }).resolveFile(source)
    expect(Buffer.compare(await readFile(path), model)).toBe(0)
    const withToken = it.hub.requests.filter(({ headers }) => headers.authorization === 'Bearer hf_good')
    expect(new Set(withToken.map(({ host }) => host))).toEqual(new Set(['hub']))
    expect(it.hub.requests.filter(({ host }) => host === 'cdn')).toHaveLength(1)
  })

  test('opens with the token of the token file', async () => {
    await writeFile(join(it.folder, 'token'), 'hf_good\n')
    await it.store.resolveFile(source)
  })

  test('shows its licence to everyone', async () => {
    const [info] = await it.store.info('hf:meta/llama')
    expect(info).toMatchObject({
      license: 'llama2',
      gated: true,
      page: `${it.hub.url}/meta/llama`,
      sizeBytes: 50_002,
    })
  })
})

describe('what does not exist', () => {
  beforeEach(() => {
    const files = { 'folder/model-Q4_0.gguf': model, 'folder/model-Q8_0.gguf': model, 'README.md': 'x' }
    it.hub.addRepository('owner/repo', { files })
    it.hub.addRepository('owner/private', { files, privateTo: ['hf_mine'] })
  })

  test('a file: with names like it', async () => {
    await expect(it.store.resolveFile('hf:owner/repo/model-q4_0.gguf')).rejects.toMatchObject({
      failure: 'not-found',
      message: expect.stringMatching(
        /^owner\/repo@main has no file 'model-q4_0\.gguf'\. Did you mean: folder\/model-Q4_0\.gguf, folder\/model-Q8_0\.gguf/,
      ),
    })
  })

  test('a quantization: with those there are', async () => {
    await expect(it.store.resolveFile('hf:owner/repo:Q5_K_M')).rejects.toThrow(
      /no GGUF file of Q5_K_M\. There are: folder\/model-Q4_0\.gguf, folder\/model-Q8_0\.gguf/,
    )
  })

  test('a revision', async () => {
    await expect(it.store.resolveFile('hf:owner/repo/README.md@v9')).rejects.toThrow(
      /owner\/repo has no branch, tag or commit 'v9'/,
    )
    await expect(it.store.openFiles('hf:owner/repo@v9')).rejects.toMatchObject({ failure: 'not-found' })
  })

  test('a repository, which may also be private', async () => {
    await expect(it.store.resolveFile('hf:owner/rep/README.md')).rejects.toMatchObject({
      failure: 'not-found',
      message: expect.stringMatching(
        /no repository owner\/rep on .*or it is private and needs a token\..*set the variable HF_TOKEN/,
      ),
    })
    await expect(it.reopen({ token: 'hf_x' }).openFiles('hf:owner/private')).rejects.toThrow(
      /or it is private and the account of your HF_TOKEN may not see it/,
    )
    await it.reopen({ token: 'hf_mine' }).resolveFile('hf:owner/private:Q4_0')
  })

  test('a local file; and what was probably meant', async () => {
    await expect(it.store.resolveFile('owner/repo')).rejects.toThrow(
      /no file or folder .*owner\/repo\. If .* write hf:owner\/repo\./,
    )
    await expect(it.store.resolveFile('./model.gguf')).rejects.toMatchObject({ failure: 'not-found' })
  })
})

test('a name that would lead out of the cache is refused before anything is written', async () => {
  it.hub.addRepository('evil/repo', { files: { '../../../outside': model, 'ok.txt': 'x' } })
  const files = await it.store.openFiles('hf:evil/repo')
  expect(await files.list()).toEqual(['ok.txt'])
  for (const name of ['../../../outside', '/etc/passwd', 'C:\\x', 'a\0b']) {
    await expect(files.path(name)).rejects.toThrow(/would lead out of its folder/)
    await expect(files.range(name, 0, 1)).rejects.toThrow(/would lead out of its folder/)
  }
})

test('an unencrypted address that an encrypted one redirects to is refused', async () => {
  const { HubHttp } = await import('../http/hub-http.ts')
  const redirect = async (): Promise<Response> =>
    new Response(null, { status: 302, headers: { location: 'http://cdn.example/x' } })
  const http = new HubHttp({
    endpoint: 'https://hub.example',
    fetch: redirect,
    requestTimeoutMs: 1000,
    token: async () => 'hf_x',
  })
  await expect(http.send('https://hub.example/a')).rejects.toThrow(/without encryption/)
})
