import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cleanEnvironment, waitUntilReady, withDefaultModel } from './support/petals-chat.ts'
import { processTree, stillRunning, type RunningProcess } from './support/process-tree.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const arguments_ = ['start', '--', '--port', '0']

/** A few looks of those who watch for the end of their parent (scripts/setup/parent.mjs). */
const severalLooksMs = 2500

let folder: string
let log: string
let started: readonly RunningProcess[] = []
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-end-'))
  log = path.join(folder, 'log')
  started = []
})
afterEach(async () => {
  for (const { pid } of stillRunning(started)) process.kill(pid, 'SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

const output = () => readFile(log, 'utf8').catch(() => '')

/** Runs a line of a shell in a process group of its own. Its output goes to the log. */
async function runLine(line: string): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', `exec >>"$LOG" 2>&1; ${line}`], {
    cwd: root,
    env: { ...cleanEnvironment(await withDefaultModel()), LOG: log },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  child.once('exit', () => {})
  return child
}

async function address(): Promise<string> {
  let url: string | undefined
  await expect
    .poll(async () => (url = /is listening on (http:\/\/\S+)/.exec(await output())?.[1]), {
      timeout: 120_000,
      interval: 200,
    })
    .toBeDefined()
  await waitUntilReady({ url: url!, output: () => '' })
  return url!
}

interface Started {
  readonly npm: number
  readonly url: string
  /** What runs, by what it is. */
  readonly find: (part: string) => number
}

/** `npm start`, as a terminal or a service manager runs it, until the model answers. */
async function npmStart(): Promise<Started> {
  const child = await runLine(`exec npm ${arguments_.join(' ')}`)
  const url = await address()
  started = processTree(child.pid!)
  const find = (part: string): number => {
    const found = started.find(({ command }) => command.includes(part))
    if (found === undefined) throw new Error(`No '${part}' in ${JSON.stringify(started)}`)
    return found.pid
  }
  // The launcher, the server and the engine, whatever shell npm takes.
  for (const part of ['with-setup.mjs run', 'petals-chat.mjs --port', 'child/main.js']) find(part)
  return { npm: child.pid!, url, find }
}

/** A streamed answer that has begun; `rest` gives what comes of it. */
async function beginAnswer(url: string, maxTokens = 120): Promise<{ readonly rest: Promise<string> }> {
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      prompt: 'Once upon a time, in a village at the sea,',
      model: 'SmolLM2-135M-Instruct',
      max_tokens: maxTokens,
      temperature: 0,
      stream: true,
    }),
  })
  const reader = response.body!.getReader()
  await reader.read()
  const read = async (): Promise<string> => {
    let text = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return text
      text += new TextDecoder().decode(value)
    }
  }
  return { rest: read() }
}

const expectAllEnded = () => expect.poll(() => stillRunning(started), { interval: 200 }).toEqual([])

/** How `npm start` may end, each told to one process or to all. */
const ends: Readonly<Record<string, (server: Started) => void>> = {
  'SIGTERM to npm': ({ npm }) => process.kill(npm, 'SIGTERM'),
  'SIGHUP to npm': ({ npm }) => process.kill(npm, 'SIGHUP'),
  'SIGKILL to npm': ({ npm }) => process.kill(npm, 'SIGKILL'),
  'SIGKILL to what npm has started': ({ find }) => process.kill(find('with-setup.mjs run'), 'SIGKILL'),
  'SIGTERM to all of them': ({ npm }) => process.kill(-npm, 'SIGTERM'),
  'Ctrl+C': ({ npm }) => process.kill(-npm, 'SIGINT'),
}

describe('npm start leaves nothing behind, and lets a running answer finish', () => {
  it.each(Object.entries(ends))('%s', async (_, end) => {
    const server = await npmStart()
    const answer = await beginAnswer(server.url)
    end(server)
    expect(await answer.rest).toContain('data: [DONE]')
    await expectAllEnded()
  })

  it('at once where Ctrl+C is pressed twice', async () => {
    const { npm, url } = await npmStart()
    const answer = await beginAnswer(url, 1500) // too long to end between the two
    const cut = answer.rest.catch(() => 'cut')
    process.kill(-npm, 'SIGINT')
    await expect.poll(output).toContain('Ctrl+C again to stop at once')
    // As far apart as two presses, or they would count as one.
    await new Promise((resolve) => setTimeout(resolve, 500))
    process.kill(-npm, 'SIGINT')
    await expectAllEnded()
    expect(await cut).not.toContain('[DONE]')
  })
})

describe('npm start goes on', () => {
  it('in the background of a shell that has ended, with a standard input that is closed', async () => {
    const shell = await runLine(`nohup npm ${arguments_.join(' ')} </dev/null & echo "npm is $!"`)
    shell.stdin!.end()
    const url = await address()
    const npm = Number(/npm is (\d+)/.exec(await output())![1])
    started = processTree(npm)
    await expect.poll(() => shell.exitCode ?? shell.signalCode).toBe(0)
    await new Promise((resolve) => setTimeout(resolve, severalLooksMs))
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    process.kill(npm, 'SIGTERM')
    await expectAllEnded()
  })
})
