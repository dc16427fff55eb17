import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { startHubServer, type HubServer } from '@petals-chat/hub/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blankLlama } from '../../packages/cli/src/testing/blank-llama.ts'
import { freePort } from '../../packages/engine/src/testing/free-port.ts'
import { defaultModelPath } from '../support/model.ts'
import { cleanEnvironment, petalsChat, waitUntilReady, withDefaultModel } from './support/petals-chat.ts'
import { stillRunning } from './support/process-tree.ts'
import { startLine, type ShellLine } from './support/shell-line.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

let folder: string
let hub: HubServer
let env: NodeJS.ProcessEnv
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-help-'))
  hub = await startHubServer()
  const bin = path.join(folder, 'bin')
  await mkdir(bin)
  const program = async (name: string, text: string) => {
    await writeFile(path.join(bin, name), `#!/bin/sh\n${text}\n`)
    await chmod(path.join(bin, name), 0o755)
  }
  await program('petals-chat', `exec "${process.execPath}" "${root}/packages/cli/bin/petals-chat.mjs" "$@"`)
  await program('xdg-open', `echo "$1" >"${folder}/opened"`)
  await copyFile(await defaultModelPath(), path.join(folder, 'model.gguf'))
  env = cleanEnvironment(await withDefaultModel())
  env['PATH'] = `${bin}${path.delimiter}${env['PATH']}`
})
afterAll(async () => {
  await hub?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** The lines below `Examples:`, without what is said beside them. */
const examplesIn = (help: string): string[] =>
  (/^Examples:\n((?: {2}.*\n)+)/m.exec(help)?.[1] ?? '')
    .split('\n')
    .map((line) => line.trim().replace(/ {2,}.*$/, ''))
    .filter(Boolean)

const ask = async (url: string, model: string): Promise<string> => {
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt: 'The capital of France is', max_tokens: 4, temperature: 0 }),
  })
  const body = (await response.json()) as { choices?: { text: string }[] }
  expect(response.status, JSON.stringify(body)).toBe(200)
  return body.choices![0]!.text
}

const listening = async (line: ShellLine): Promise<string> => {
  const [, url] = await line.until(/is listening on (http:\/\/\S+)/)
  await waitUntilReady({ url: url!, output: line.output })
  return url!
}

describe('npm run swarm', () => {
  /** What each example is to show. */
  const shows: Readonly<Record<string, (swarm: ShellLine) => Promise<void>>> = {
    'npm run swarm -- --model stories15M --server-args "--session_timeout 60"': async (swarm) => {
      const servers = swarm.tree().filter(({ command }) => command.includes('petals_server.py'))
      for (const { command } of servers) expect(command).toMatch(/ --session_timeout 60$/)
      expect(servers.length).toBeGreaterThanOrEqual(2)
      // Asked without an end, as the help of petals-chat has it.
      const [, address] = /--swarm (\S+)/.exec(swarm.output())!
      await using watching = startLine('petals-chat swarm status --watch', {
        env: { ...env, PETALS_CHAT_SWARM: address! },
        cwd: folder,
      })
      await watching.until(/every block has a server[^]*every block has a server/)
    },
    'npm run swarm -- --model stories15M --round-trip 50': async (swarm) => {
      const [, rtt] = /(\d+) ms/.exec((await runLine(statusLine(swarm))).output)!
      expect(Number(rtt)).toBeGreaterThanOrEqual(50)
    },
  }

  /** `npm start -- swarm status --swarm ADDRESS`, to be copied. */
  const statusLine = (line: ShellLine): string =>
    /^ {2}(npm start -- swarm status .*)$/m.exec(line.output())![1]!

  async function runLine(text: string): Promise<{ readonly code: number | null; readonly output: string }> {
    await using line = startLine(text, { env })
    return { code: await line.exited, output: line.output() }
  }

  it('has an example for each that is shown here', async () => {
    const { output } = await runLine('npm run --silent swarm -- --help')
    expect(examplesIn(output)).toEqual(Object.keys(shows))
  })

  it.each(Object.entries(shows))('%s', async (example, show) => {
    await using swarm = startLine(`${example} --port ${await freePort()}`, { env })
    await swarm.until(/Ctrl\+C ends all its servers/)
    expect(swarm.output()).toMatch(/\n {2}\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+\n/)
    expect(await runLine(statusLine(swarm))).toMatchObject({
      code: 0,
      output: expect.stringContaining('every block has a server') as string,
    })
    await show(swarm)
    const started = swarm.tree()
    swarm.signalAll('SIGINT')
    await expect.poll(() => stillRunning(started)).toEqual([])
  })

  it('the demo’s example: the page on its own port, the swarm from another terminal, and an end of all', async () => {
    const [example] = examplesIn((await runLine('npm run --silent demo -- --help')).output)
    expect(example).toBe('npm run demo -- --chat-port 8080')
    const [port, chatPort] = [await freePort(), await freePort()]
    await using demo = startLine(`${example} --model stories15M --port ${port} --chat-port ${chatPort}`, {
      env,
    })
    const url = await listening(demo)
    expect(new URL(url).port).toBe(String(chatPort))
    expect(await (await fetch(url)).text()).toContain('<title>')
    expect(await ask(url, 'stories15M')).not.toBe('')
    expect((await runLine(statusLine(demo))).code).toBe(0)

    // While that runs, its ports are taken: told at once, before any server is started.
    for (const flags of [`--port ${port}`, `--chat-port ${chatPort} --port ${await freePort()}`]) {
      const second = await runLine(`npm run --silent demo -- --model stories15M ${flags}`)
      expect(second.code).not.toBe(0)
      expect(second.output).toMatch(
        /is used by another program\. Choose another one, for example: --(chat-)?port \d/,
      )
      expect(second.output).not.toContain('Starting server')
    }

    const started = demo.tree()
    expect(started.filter(({ command }) => command.includes(' contribute ')).length).toBe(2)
    process.kill(demo.tree().find(({ command }) => command.startsWith('npm run demo'))!.pid, 'SIGKILL')
    await expect.poll(() => stillRunning(started)).toEqual([])
  })
})

/** Servers are started by `contribute` in tests of their own; here its flags are taken, up to the start. */
async function showsPlan(line: string): Promise<void> {
  const cwd = await mkdtemp(path.join(folder, 'contribute-'))
  const files = blankLlama(8)
  await mkdir(path.join(cwd, 'my-model'))
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(cwd, 'my-model', name), text)
  for (const name of ['petals-team/StableBeluga2', 'owner/repo']) hub.addRepository(name, { files })
  const python = path.join(root, '.cache', 'python', 'swarm')
  const environment = line.includes('--engine python') ? ` --environment ${python}` : ''
  const more = { HF_ENDPOINT: hub.url, PETALS_CHAT_OFFLINE: '', XDG_CACHE_HOME: path.join(cwd, 'cache') }
  await using dryRun = startLine(`${line} --dry-run${environment}`, {
    env: { ...env, ...more },
    cwd,
  })
  expect([await dryRun.exited, dryRun.output()]).toEqual([
    0,
    expect.stringMatching(/The server would be started by|Nothing was started/) as string,
  ])
}

describe('petals-chat contribute --help', () => {
  it('has examples that its flags allow', async () => {
    const examples = examplesIn((await petalsChat(['contribute', '--help'])).stdout)
    expect(examples.length).toBeGreaterThan(2)
    for (const example of examples) await showsPlan(example)
  })
})

describe('petals-chat --help', () => {
  const serves = async (line: string, more: NodeJS.ProcessEnv, model: string): Promise<void> => {
    await using server = startLine(`${line} --port 0`, { env: { ...env, ...more }, cwd: folder })
    expect(await ask(await listening(server), model)).toContain('Paris')
  }

  /** A place for keys, which no other server of these tests reads. */
  const withKeys = () => ({ XDG_DATA_HOME: path.join(folder, 'data') })

  const shows: Readonly<Record<string, (line: string) => Promise<void>>> = {
    'petals-chat': (line) => serves(line, {}, 'SmolLM2-135M-Instruct'),
    'petals-chat --model ./model.gguf --open': async (line) => {
      await serves(line, {}, 'model')
      await expect
        .poll(() => readFile(path.join(folder, 'opened'), 'utf8').catch(() => ''))
        .toMatch(/^http:\/\/127\.0\.0\.1:\d+/)
    },
    'petals-chat --model hf:owner/repo:Q4_K_M': async (line) => {
      const file = { path: path.join(folder, 'model.gguf') }
      hub.addRepository('owner/repo', { files: { 'model.Q4_K_M.gguf': file, 'model.Q8_0.gguf': 'x' } })
      const cache = path.join(folder, 'cache')
      await serves(
        line,
        { HF_ENDPOINT: hub.url, PETALS_CHAT_OFFLINE: '', XDG_CACHE_HOME: cache },
        'owner/repo',
      )
    },
    // Shown with the swarm above.
    'petals-chat swarm status --watch': async () => {},
    'petals-chat --host 0.0.0.0': async (line) => {
      await using server = startLine(`${line} --port 0`, { env: { ...env, ...withKeys() }, cwd: folder })
      const [, url] = await server.until(/is listening on (http:\/\/\S+)/)
      expect((await fetch(`${url}/v1/models`)).status).toBe(401)
      await server.until(/petals-chat keys create/)
    },
    'petals-chat keys create lab --expires 90d': async (line) => {
      await using making = startLine(line, { env: { ...env, ...withKeys() }, cwd: folder })
      expect(await making.exited).toBe(0)
      expect(making.output()).toMatch(/^sk-petals-/m)
    },
    'petals-chat contribute owner/repo': showsPlan,
    'petals-chat chat "What is the capital of France?"': async (line) => {
      await using asking = startLine(line, { env, cwd: folder })
      expect(await asking.exited).toBe(0)
      // The answer is drawn by chance; what it says is for tests of greedy ones.
      expect(asking.output()).toMatch(/\w+ \w+/)
    },
  }

  it('has an example for each that is shown here', async () => {
    const { stdout } = await petalsChat(['--help'])
    expect(examplesIn(stdout)).toEqual(Object.keys(shows))
  })

  it.each(Object.entries(shows))('%s', (line, show) => show(line))
})
