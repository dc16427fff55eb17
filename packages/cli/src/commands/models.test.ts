import { startHubServer, type HubServer } from '@petals-chat/hub/testing'
import { mkdir, readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reportFailure } from '../failure.ts'
import { runProgram } from '../program.ts'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { temporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'

let folder: TemporaryFolder
let hub: HubServer
beforeEach(async () => {
  folder = await temporaryFolder()
  hub = await startHubServer()
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function run(...args: readonly string[]) {
  const { terminal, stdout, stderr } = recordingTerminal()
  const environment = { HF_ENDPOINT: hub.url, XDG_CACHE_HOME: folder.path }
  const code = await runProgram(args, { terminal, environment, workingDirectory: folder.path }).catch(
    (error: unknown) => reportFailure(error, terminal, { withStack: false }),
  )
  return { code, stdout: stdout(), stderr: stderr() }
}

const model = 'x'.repeat(100_000)

describe('petals-chat models', () => {
  it('downloads, lists and deletes', async () => {
    hub.addRepository('owner/repo', { files: { 'model.gguf': model } })
    await folder.write(
      'petals-chat.yaml',
      'models: [{ id: mine, engine: llama, source: "hf:owner/repo/model.gguf" }]',
    )
    expect((await run('models', 'list')).stdout).toMatch(
      /mine +llama +not downloaded +hf:owner\/repo\/model\.gguf/,
    )
    expect(hub.requests).toEqual([])

    const pulled = await run('models', 'pull', 'mine')
    expect(pulled.code).toBe(0)
    expect(await readFile(pulled.stdout.trim(), 'utf8')).toBe(model)

    const listed = await run('models')
    expect(listed.stdout).toMatch(/mine +llama +downloaded, 100 kB/)
    expect(listed.stdout).toMatch(/IN THE CACHE.*\nhf:owner\/repo +100 kB/)

    const removed = await run('models', 'rm', 'mine')
    expect(removed.stderr).toContain('Deleted; 100 kB freed.')
    expect((await run('models', 'list')).stdout).toContain('not downloaded')
    await run('models', 'pull', 'mine')
    expect((await run('models', 'rm', 'hf:owner/repo/model.gguf')).stderr).toContain('Deleted; 100 kB freed.')
    expect(await run('models', 'rm', 'mine')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Nothing of hf:owner/repo') as string,
    })
  })

  it('shows progress of a download on stderr, the path alone on stdout', async () => {
    hub.addRepository('owner/repo', { files: { 'model.gguf': model } })
    const { stdout, stderr } = await run('models', 'pull', 'hf:owner/repo/model.gguf')
    expect(stderr).toMatch(/Downloading .*: \d+ %, .* of 100 kB/)
    expect(stdout.trim().split('\n')).toHaveLength(1)
  })

  it('says how to get access to a gated model', async () => {
    hub.addRepository('meta/gated', { files: { 'model.gguf': model }, gate: { tokens: ['hf_accepted'] } })
    const { code, stderr } = await run('models', 'pull', 'hf:meta/gated/model.gguf')
    expect(code).toBe(1)
    expect(stderr).toContain(`${hub.url}/meta/gated`)
    expect(stderr).toContain('HF_TOKEN')
  })

  it('shows the memory that the local part of a swarm model needs, as the original’s table', async () => {
    const config = { model_type: 'llama', vocab_size: 32000, hidden_size: 8192 }
    hub.addRepository('meta-llama/Llama-2-70b-chat-hf', { files: { 'config.json': JSON.stringify(config) } })
    const { stdout, code } = await run('models', 'info', 'hf:meta-llama/Llama-2-70b-chat-hf')
    expect(code).toBe(0)
    expect(stdout).toMatch(/Embeds in 16-bit +1\.05 GB\n/)
    expect(stdout).toMatch(/Embeds in 32-bit +2\.10 GB\n/)
    expect(stdout).toContain('32000 tokens x 8192')
  })

  it('shows where a swarm model is in the swarm, and the memory of its local part', async () => {
    const config = {
      model_type: 'llama',
      vocab_size: 49152,
      hidden_size: 576,
      num_hidden_layers: 30,
      max_position_embeddings: 8192,
      tie_word_embeddings: true,
    }
    hub.addRepository('owner/Smol', { files: { 'config.json': JSON.stringify(config) } })
    const { stdout, code } = await run('models', 'info', 'petals:hf:owner/Smol')
    expect(code).toBe(0)
    expect(stdout).toMatch(/Architecture +llama, 30 blocks, 576 wide\n/)
    expect(stdout).toMatch(/Context +8192 tokens\n/)
    expect(stdout).toMatch(/In the swarm +Smol-hf\n/)
    expect(stdout).toMatch(/Download +only tokenizer, embeddings and LM head/)
    expect(stdout).toMatch(/Repository +\d+ B, \d+ B downloaded\n/)
    expect(stdout).toMatch(/Memory +about 30\.\d MB for the LM head in 8 bits/)
    expect(stdout).toMatch(/Embeds in 16-bit +0\.06 GB\n/)

    await mkdir(`${folder.path}/Smol`)
    await folder.write('Smol/config.json', JSON.stringify(config))
    expect((await run('models', 'info', 'petals:./Smol')).stdout).toMatch(
      /In the swarm +unknown: set its dhtPrefix/,
    )
    await folder.write('Smol/config.json', JSON.stringify({ ...config, model_type: 'gpt2' }))
    expect((await run('models', 'info', 'petals:./Smol')).stdout).toMatch(
      /Note +config\.json of .* model_type 'gpt2'/,
    )
  })

  describe('draft models', () => {
    const config = { model_type: 'llama', vocab_size: 64, hidden_size: 32, num_hidden_layers: 2 }
    const draft = 'hf:owner/small/draft.gguf'
    const swarmModel = (id: string) => ({
      ...{ id, engine: 'petals', source: `hf:owner/${id}`, dhtPrefix: id, speculation: { draft } },
    })
    const configure = async (...models: readonly object[]): Promise<void> => {
      await folder.write('petals-chat.yaml', JSON.stringify({ models }))
      hub.addRepository('owner/small', { files: { 'draft.gguf': model } })
      expect((await run('models', 'pull', draft)).code).toBe(0)
    }
    beforeEach(() => {
      for (const name of ['first', 'second'])
        hub.addRepository(`owner/${name}`, { files: { 'config.json': JSON.stringify(config) } })
    })

    it('are listed with the models that they draft for, and deleted with them', async () => {
      await configure(swarmModel('first'))
      expect((await run('models', 'list')).stdout).toMatch(
        /first +petals .*\nfirst \(draft\) +llama +downloaded, 100 kB +hf:owner\/small\/draft\.gguf/,
      )
      const removed = await run('models', 'rm', 'first')
      expect(removed).toMatchObject({ code: 0, stderr: expect.stringContaining('100 kB freed') as string })
      expect((await run('models', 'list')).stdout).toMatch(/first \(draft\) +llama +not downloaded/)
    })

    it('stay where another model drafts with them', async () => {
      await configure(swarmModel('first'), swarmModel('second'))
      const { stderr } = await run('models', 'rm', 'first')
      expect(stderr).toContain(`Kept the draft model ${draft}, also needed by second.`)
      expect((await run('models', 'list')).stdout).toMatch(/second \(draft\) +llama +downloaded, 100 kB/)
    })

    it('stay where a model of this machine that has the same file is deleted', async () => {
      await configure(swarmModel('first'), { id: 'mine', engine: 'llama', source: draft })
      const { code, stderr } = await run('models', 'rm', 'mine')
      expect(code).toBe(1)
      expect(stderr).toContain(
        'Nothing was deleted, because the configuration file has models with the same files: first. Remove',
      )
      expect((await run('models', 'list')).stdout).toMatch(/mine +llama +downloaded, 100 kB/)
    })
  })

  it('never deletes a file of the user', async () => {
    const file = await folder.write('mine.gguf', model)
    const { code, stderr } = await run('models', 'rm', './mine.gguf')
    expect(code).toBe(1)
    expect(stderr).toContain('mine.gguf')
    expect(await readFile(file, 'utf8')).toBe(model)
  })
})
