import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type TestStore, openTestStore, someBytes } from '../testing/test-store.ts'

const model = someBytes(50_000)

let testStore: TestStore
beforeEach(async () => {
  testStore = await openTestStore()
})
afterEach(() => testStore[Symbol.asyncDispose]())

describe('a gated repository', () => {
  const source = 'hf:meta/llama/model.safetensors'
  beforeEach(() => {
    testStore.hub.addRepository('meta/llama', {
      files: { 'model.safetensors': model, 'config.json': '{}' },
      license: 'llama2',
      gate: { tokens: ['hf_good'] },
    })
  })

  it('without a token: names the page, the licence and the variable', async () => {
    await expect(testStore.store.resolveFile(source)).rejects.toMatchObject({
      failure: 'gated',
      message:
        'meta/llama is open only to those who have accepted its licence (llama2). ' +
        `Open ${testStore.hub.url}/meta/llama, log in and accept it; create a token with read access at ${testStore.hub.url}/settings/tokens; ` +
        'set the variable HF_TOKEN to it and run again.',
    })
  })

  it('with a token whose account has not accepted the licence: asks to accept it, with the message of the Hub', async () => {
    const attempt = testStore.reopen({ token: 'hf_other' }).resolveFile(source)
    await expect(attempt).rejects.toMatchObject({
      failure: 'gated',
      message: expect.stringMatching(
        /\(llama2\), and the account of your HF_TOKEN has not, .*Open .*\/meta\/llama with that account.*The Hub says: Access to model/,
      ),
    })
  })

  it('with an invalid token: asks for a new one', async () => {
    const attempt = testStore.reopen({ token: 'invalid' }).resolveFile(source)
    await expect(attempt).rejects.toMatchObject({
      failure: 'gated',
      message: expect.stringMatching(
        /refuses the token in HF_TOKEN .*Invalid credentials.*create a new one at/,
      ),
    })
  })

  it('opens with the right token, which goes to the Hub only', async () => {
    const path = await testStore.reopen({ token: 'hf_good' }).resolveFile(source)
    expect(Buffer.compare(await readFile(path), model)).toBe(0)
    const withToken = testStore.hub.requests.filter(
      ({ headers }) => headers.authorization === 'Bearer hf_good',
    )
    expect(new Set(withToken.map(({ host }) => host))).toEqual(new Set(['hub']))
    expect(testStore.hub.requests.filter(({ host }) => host === 'cdn')).toHaveLength(1)
  })

  it('opens with the token of the token file', async () => {
    await writeFile(join(testStore.folder, 'token'), 'hf_good\n')
    await testStore.store.resolveFile(source)
  })

  it('shows its licence without a token', async () => {
    const [info] = await testStore.store.info('hf:meta/llama')
    expect(info).toMatchObject({
      license: 'llama2',
      gated: true,
      page: `${testStore.hub.url}/meta/llama`,
      sizeBytes: 50_002,
    })
  })
})

describe('what does not exist', () => {
  beforeEach(() => {
    const files = { 'folder/model-Q4_0.gguf': model, 'folder/model-Q8_0.gguf': model, 'README.md': 'x' }
    testStore.hub.addRepository('owner/repo', { files })
    testStore.hub.addRepository('owner/private', { files, privateTo: ['hf_mine'] })
  })

  it('a file: names similar ones', async () => {
    await expect(testStore.store.resolveFile('hf:owner/repo/model-q4_0.gguf')).rejects.toMatchObject({
      failure: 'not-found',
      message: expect.stringMatching(
        /^owner\/repo@main has no file 'model-q4_0\.gguf'\. Did you mean: folder\/model-Q4_0\.gguf, folder\/model-Q8_0\.gguf/,
      ),
    })
  })

  it('a quantization: names the existing ones', async () => {
    await expect(testStore.store.resolveFile('hf:owner/repo:Q5_K_M')).rejects.toThrow(
      /no GGUF file of Q5_K_M\. There are: folder\/model-Q4_0\.gguf, folder\/model-Q8_0\.gguf/,
    )
  })

  it('a revision', async () => {
    await expect(testStore.store.resolveFile('hf:owner/repo/README.md@v9')).rejects.toThrow(
      /owner\/repo has no branch, tag or commit 'v9'/,
    )
    await expect(testStore.store.openFiles('hf:owner/repo@v9')).rejects.toMatchObject({
      failure: 'not-found',
    })
  })

  it('a repository, which may also be private', async () => {
    await expect(testStore.store.resolveFile('hf:owner/rep/README.md')).rejects.toMatchObject({
      failure: 'not-found',
      message: expect.stringMatching(
        /no repository owner\/rep on .*or it is private and needs a token\..*set the variable HF_TOKEN/,
      ),
    })
    await expect(testStore.reopen({ token: 'hf_x' }).openFiles('hf:owner/private')).rejects.toThrow(
      /or it is private and the account of your HF_TOKEN may not see it/,
    )
    await testStore.reopen({ token: 'hf_mine' }).resolveFile('hf:owner/private:Q4_0')
  })

  it('a local file: suggests what was probably meant', async () => {
    await expect(testStore.store.resolveFile('owner/repo')).rejects.toThrow(
      /no file or folder .*owner\/repo\. If .* write hf:owner\/repo\./,
    )
    await expect(testStore.store.resolveFile('./model.gguf')).rejects.toMatchObject({ failure: 'not-found' })
  })
})

it('a name that would lead out of the cache is refused before anything is written', async () => {
  testStore.hub.addRepository('evil/repo', { files: { '../../../outside': model, 'ok.txt': 'x' } })
  const files = await testStore.store.openFiles('hf:evil/repo')
  expect(await files.list()).toEqual(['ok.txt'])
  for (const name of ['../../../outside', '/etc/passwd', 'C:\\x', 'a\0b']) {
    await expect(files.path(name)).rejects.toThrow(/would lead out of its folder/)
    await expect(files.range(name, 0, 1)).rejects.toThrow(/would lead out of its folder/)
  }
})

it('an unencrypted address that an encrypted one redirects to is refused', async () => {
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
