import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../packages/engine/src/testing/free-port.ts'
import { defaultModelPath } from '../support/model.ts'
import {
  cleanEnvironment,
  command,
  petalsChat,
  startPetalsChat,
  withDefaultModel,
} from './support/petals-chat.ts'
import { processTree, stillRunning } from './support/process-tree.ts'
import { writeToySwarmModel } from './support/toy-swarm-model.ts'

const model = 'SmolLM2-135M-Instruct'
let env: Readonly<Record<string, string>>
let folder: string
beforeAll(async () => {
  env = await withDefaultModel()
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-e2e-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const chat = (url: string, body: object, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      messages: [{ role: 'user', content: 'Count from one to one hundred.' }],
      ...body,
    }),
    ...(signal ? { signal } : {}),
  })

describe('the command line', () => {
  it('shows every flag with its variable', async () => {
    const { stdout, code } = await petalsChat(['--help'])
    expect(code).toBe(0)
    for (const flag of [
      'host',
      'port',
      'config',
      'open',
      'offline',
      'log-level',
      'gpu',
      'threads',
      'model',
    ]) {
      expect(stdout).toContain(`--${flag}`)
      expect(stdout).toContain(`PETALS_CHAT_${flag.toUpperCase().replace('-', '_')}`)
    }
  })

  it('names the file, line and key of each mistake in a config file', async () => {
    const file = path.join(folder, 'wrong.yaml')
    await writeFile(file, 'server:\n  port: many\n  hots: 127.0.0.1\nmodels:\n  - id: a\n    engine: lama\n')
    const { stdout, stderr, code } = await petalsChat(['config', 'check', '--config', file])
    const output = stdout + stderr
    expect(code).not.toBe(0)
    expect(output).toMatch(/wrong\.yaml:2:\d+.*port/)
    expect(output).toMatch(/wrong\.yaml:3:\d+.*hots/)
    expect(output).toMatch(/wrong\.yaml:6:\d+.*engine/)
    expect(output).toContain('llama')
  })

  it('says which port is taken and what to do', async () => {
    await using server = await startPetalsChat({ env, untilReady: false })
    const { port } = new URL(server.url)
    const { code, stdout, stderr } = await petalsChat(['serve', '--port', port, '--preload', 'none'], { env })
    expect(code).toBe(1)
    expect(stdout + stderr).toContain(port)
    expect(stdout + stderr).toContain('--port')
    expect(stdout + stderr).not.toMatch(/\n\s+at /)
  })

  it('config check calls wrong what serve refuses, in the same words', async () => {
    const public_ = path.join(folder, 'public.yaml')
    await writeFile(public_, 'server:\n  host: 0.0.0.0\n  access: { keys: off }\n')
    for (const flags of [
      ['--host', '0.0.0.0', '--keys', 'off'],
      ['--config', public_],
      ['--model', './typo.gguf'],
      ['--model', 'a=./a.gguf', '--model', 'a=./b.gguf'],
      ['--port', '70000'],
      ['--swarm', 'nonsense'],
    ]) {
      const checked = await petalsChat(['config', 'check', ...flags], { cwd: folder })
      const served = await petalsChat(['serve', ...flags], { cwd: folder })
      expect(checked).toMatchObject({ code: 2, stdout: '' })
      expect(served).toEqual(checked)
    }
  })

  it('examines the machine', async () => {
    const { stdout, code } = await petalsChat(['doctor'], { env })
    expect(code).toBe(0)
    expect(stdout).toMatch(/Node/)
    expect(stdout).toMatch(/✓/)
  })
})

describe('the server process', () => {
  it('serves this machine alone on every way of writing loopback', async () => {
    for (const [host, shown] of [
      ['[::1]', '[::1]'],
      ['::1', '[::1]'],
      ['localhost', 'localhost'],
      ['127.0.0.2', '127.0.0.2'],
      ['::ffff:127.0.0.1', '[::ffff:127.0.0.1]'],
    ] as const) {
      const args = ['--host', host, '--preload', 'none']
      await using server = await startPetalsChat({ args, untilReady: false })
      expect(server.url).toContain(`http://${shown}:`)
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    }
  })

  it('listens at once, and prints the address, the models and how to stop', async () => {
    await using server = await startPetalsChat({ env })
    await expect.poll(() => server.output()).toMatch(/Stop\s+Ctrl\+C/)
    expect(server.output()).toContain(server.url)
    expect(server.output()).toContain(model)
    // Three seconds are the promise; what is over is a regression even on a busy machine.
    expect(server.startedAfterMs).toBeLessThan(3000)
  })

  it('outlives loads of a swarm model whose swarm can not be reached, and so does the stream beside them', async () => {
    const files = await writeToySwarmModel(path.join(folder, 'toy'))
    const config = path.join(folder, 'unreachable.yaml')
    const peer = '/ip4/127.0.0.1/tcp/1/p2p/QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY'
    const models = [
      { id: model, engine: 'llama', source: await defaultModelPath() },
      { id: 'toy', engine: 'petals', source: files, dhtPrefix: 'Toy-hf' },
    ]
    const swarm = { initialPeers: [peer], cacheDir: path.join(folder, 'heads') }
    await writeFile(config, JSON.stringify({ models, swarm }))
    // The 8-bit head is there: every load gets as far as native code.
    expect((await petalsChat(['models', 'pull', 'toy', '--config', config], { env })).code).toBe(0)
    await using server = await startPetalsChat({ args: ['--config', config], env })
    const stream = await chat(server.url, { stream: true, max_tokens: 200, temperature: 0 })
    const text = stream.text()
    // Loads that fail one after another come after pauses; the requests between them get the last error.
    const loads = () => server.output().match(/"model":"toy"[^\n]*loading the model/g)?.length ?? 0
    for (let i = 0; i < 12 || loads() < 4; i++) {
      await delay(100)
      const body = new URLSearchParams({ model: 'toy', inputs: 'Hi', max_new_tokens: '2' })
      const response = await fetch(`${server.url}/api/v1/generate`, { method: 'POST', body })
      expect(((await response.json()) as { traceback: string }).traceback).toMatch(/can't be reached/)
    }
    expect(await text).toContain('data: [DONE]')
    expect([server.process.exitCode, server.process.signalCode]).toEqual([null, null])
    expect((await chat(server.url, { max_tokens: 2 })).status).toBe(200)
  })

  it('lets a running answer finish after SIGTERM, takes nothing new, and ends with 0', async () => {
    await using server = await startPetalsChat({ env })
    const response = await chat(server.url, { stream: true, max_tokens: 60, temperature: 0 })
    const reader = response.body!.getReader()
    await reader.read()
    server.process.kill('SIGTERM')
    let text = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      text += new TextDecoder().decode(value)
    }
    expect(text).toContain('data: [DONE]')
    expect(await server.exited).toBe(0)
    await expect(chat(server.url, {})).rejects.toThrow()
  })

  it('goes on serving when the disk of its log is full', async () => {
    const full = await open('/dev/full', 'w')
    const port = await freePort()
    const child = spawn(process.execPath, [command, 'serve', '--port', String(port), '--preload', 'none'], {
      env: cleanEnvironment(env),
      stdio: ['ignore', full.fd, full.fd],
    })
    try {
      const status = (): Promise<number | undefined> =>
        fetch(`http://127.0.0.1:${port}/healthz`).then(
          (response) => response.status,
          () => undefined,
        )
      await expect.poll(status).toBe(200)
      for (let request = 0; request < 5; request++) expect(await status()).toBe(200)
      expect(child.exitCode).toBeNull()
    } finally {
      child.kill('SIGTERM')
      await once(child, 'exit')
      await full.close()
    }
  })

  it('says degraded while its engine hangs, and ends at the limit of the drain all the same, without orphans', async () => {
    const file = path.join(folder, 'hanging.yaml')
    // Without the limits of the shutdown, the server would wait for the engine for ten minutes.
    await writeFile(file, 'server:\n  drainTimeoutMs: 500\nllama:\n  unresponsiveTimeoutMs: 600000\n')
    const secret = 'hf_canary_of_the_environment'
    await using server = await startPetalsChat({
      env: { ...env, HF_TOKEN: secret },
      args: ['--config', file],
    })
    const engine = await engineProcess(server.process.pid!)
    expect(await readFile(`/proc/${engine}/environ`, 'utf8')).not.toContain(secret)
    const processes = processTree(server.process.pid!)
    const response = await chat(server.url, { stream: true, max_tokens: 1000 })
    process.kill(engine, 'SIGSTOP')
    const rest = response.text()
    const status = async () => (await (await fetch(`${server.url}/ready`)).json()) as { status: string }
    await expect.poll(status).toMatchObject({ status: 'degraded' })
    server.process.kill('SIGTERM')
    expect(await rest).toContain('shutting_down')
    expect(await server.exited).toBe(0)
    expect(stillRunning(processes)).toEqual([])
  })

  it('outlives a kill of its engine: the answer ends in words, and the next one comes within seconds', async () => {
    await using server = await startPetalsChat({ env })
    const response = await chat(server.url, { stream: true, max_tokens: 1000, temperature: 0 })
    const reader = response.body!.getReader()
    await reader.read()
    process.kill(await engineProcess(server.process.pid!), 'SIGKILL')
    let text = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      text += new TextDecoder().decode(value)
    }
    const error = /data: (\{"error".*\})/.exec(text)?.[1]
    expect(error, text.slice(-500)).toBeDefined()
    expect(text).not.toContain('[DONE]')
    expect((JSON.parse(error!) as { error: { message: string } }).error.message).not.toMatch(/\n\s+at /)

    await expect
      .poll(async () => (await chat(server.url, { max_tokens: 4 })).status, {
        interval: 100,
      })
      .toBe(200)
    expect(server.process.exitCode).toBeNull()
  })
})

/** The one child of the server that has the model. Linux only, as CI is. */
async function engineProcess(parent: number): Promise<number> {
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8')
  const [first] = children.trim().split(' ')
  return Number(first)
}
