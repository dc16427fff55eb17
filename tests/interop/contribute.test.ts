import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureModel, findModel } from '../../swarm/models.ts'
import { python, rootFolder } from '../../swarm/paths.ts'
import { cleanEnvironment, startPetalsChat, type PetalsChat } from '../e2e/support/petals-chat.ts'
import { processTree, stillRunning } from '../e2e/support/process-tree.ts'
import { openFolderTokenizer } from './support/folder-tokenizer.ts'
import { referenceAnswers } from './support/reference.ts'

const model = findModel('stories15M')
const command = path.join(rootFolder, 'packages', 'cli', 'bin', 'petals-chat.mjs')
/** The Python environment that all swarm tests share. */
const environment = path.resolve(path.dirname(python), '..')
const prompt = 'Once upon a time'
const newTokens = 16

interface Contributor {
  readonly child: ChildProcess
  readonly output: () => string
  readonly exited: Promise<number | null>
  /** Resolves to the first match in its output. */
  until(pattern: RegExp): Promise<RegExpExecArray>
}

let modelFolder: string
let cacheHome: string
const contributors: Contributor[] = []

/** `petals-chat contribute`, as its users run it, with a server in Python. */
const contribute = (...args: readonly string[]): Contributor =>
  contributeNative(...args, '--environment', environment)

function contributeNative(...args: readonly string[]): Contributor {
  const words = [command, 'contribute', modelFolder, '--host', '127.0.0.1', '--port', '0', ...args]
  const child = spawn(process.execPath, words, {
    env: cleanEnvironment({ XDG_CACHE_HOME: cacheHome, OMP_NUM_THREADS: '1' }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const changed = new Set<() => void>()
  const collect = (chunk: Buffer): void => {
    output += String(chunk)
    for (const look of changed) look()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  const contributor: Contributor = {
    child,
    output: () => output,
    exited,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(output)
          if (match) resolve(match)
        }
        changed.add(look)
        look()
        void exited.then((code) => reject(new Error(`It ended with ${code} before ${pattern}:\n${output}`)))
      }),
  }
  contributors.push(contributor)
  return contributor
}

/** The answer of transformers, as text. */
let expected: string

/** Asks `petals-chat serve` for a greedy answer over the swarm. */
async function answerOver(address: string): Promise<string> {
  const args = ['--swarm', address, '--model', `petals:${modelFolder}`, '--dht-prefix', 'stories15M-hf']
  await using server = await startPetalsChat({ args, env: { XDG_CACHE_HOME: cacheHome } })
  return await answerOf(server)
}

async function answerOf({ url }: Pick<PetalsChat, 'url'>): Promise<string> {
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: model.name, prompt, temperature: 0, max_tokens: newTokens }),
  })
  const body = (await response.json()) as { readonly choices: readonly { readonly text: string }[] }
  return body.choices[0]!.text
}

beforeAll(async () => {
  modelFolder = await ensureModel(model)
  const { tokenizer } = await openFolderTokenizer(modelFolder)
  const tokens = tokenizer.encode(prompt, { addSpecialTokens: true })
  const [answer] = await referenceAnswers(model.name, [tokens], newTokens)
  expected = tokenizer.decode(answer!.ids)
  cacheHome = await mkdtemp(path.join(tmpdir(), 'petals-chat-contribute-'))
})
afterAll(async () => {
  for (const { child } of contributors) child.kill('SIGTERM')
  await Promise.all(contributors.map(({ exited }) => exited))
  await rm(cacheHome, { recursive: true, force: true })
})

describe('petals-chat contribute', () => {
  let first: Contributor
  let second: Contributor
  let address: string

  it('starts a swarm on one machine, and a second one joins by the printed address and fills the gap', async () => {
    first = contribute('--swarm', 'new', '--blocks', '0:3', '--public-name', 'my gaming PC')
    const [, line] = await first.until(/Another machine joins with:\s+(.*)\n[^]*Ctrl\+C leaves/)
    expect(line).toMatch(/^npm start -- contribute \S+ --swarm \S+ --dht-prefix stories15M-hf$/)
    address = /--swarm (\S+)/.exec(line!)![1]!
    expect(address).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+$/)

    // It gets the number of blocks as an argument, and finds out which blocks the swarm lacks.
    second = contribute('--swarm', address, '--blocks', '3')
    await second.until(/Serving blocks 3-5 of 6 · your server answered 0 tokens/)
  })

  it('answers as transformers does, through both', async () => {
    const args = ['--swarm', address, '--model', `petals:${modelFolder}`, '--dht-prefix', 'stories15M-hf']
    await using server = await startPetalsChat({ args, env: { XDG_CACHE_HOME: cacheHome } })
    expect(await answerOf(server)).toBe(expected)

    const status = (await (await fetch(`${server.url}/api/v1/swarm`)).json()) as {
      readonly models: readonly {
        readonly servers: readonly { readonly publicName?: string }[]
        readonly join: readonly { readonly command: string }[]
      }[]
    }
    expect(status.models[0]!.servers.map(({ publicName }) => publicName)).toContain('my gaming PC')
    expect(status.models[0]!.join).toEqual([
      {
        command: `npm start -- contribute ${modelFolder} --swarm ${address} --dht-prefix stories15M-hf`,
      },
    ])
  })

  it('restarts a server that was killed, at the same address', async () => {
    const servers = processTree(first.child.pid!).filter(({ command: words }) =>
      /petals_server\.py/.test(words),
    )
    process.kill(-servers[0]!.pid, 'SIGKILL')
    await first.until(/restarts in 2 s/)
    await first.until(/restarts in[^]*Loading blocks 0-2 of 6/)
  })

  it('leaves the swarm on SIGTERM, reports what it answered, and leaves no process behind', async () => {
    const processes = processTree(second.child.pid!)
    expect(processes.length).toBeGreaterThan(3)
    second.child.kill('SIGTERM')
    expect(await second.exited).toBe(0)
    expect(second.output()).toMatch(
      new RegExp(`your server answered ${newTokens - 1} tokens and read \\d+ tokens of prompts · 1 session`),
    )
    expect(stillRunning(processes)).toEqual([])
  })

  it('ends its server when it is killed', async () => {
    const processes = processTree(first.child.pid!)
    expect(processes.some(({ command: words }) => /petals_server\.py/.test(words))).toBe(true)
    first.child.kill('SIGKILL')
    await first.exited
    await expect.poll(() => stillRunning(processes), { interval: 200 }).toEqual([])
  })
})

describe('petals-chat contribute without Python', () => {
  let first: Contributor
  let second: Contributor
  let address: string

  const ownChild = ({ child }: Contributor) =>
    processTree(child.pid!).find(({ pid, command: words }) => pid !== child.pid && /blocks/.test(words))!

  it('starts a swarm, and a second one joins by the printed address and fills the gap', async () => {
    first = contributeNative('--swarm', 'new', '--blocks', '0:3', '--public-name', 'my Mac')
    const [, line] = await first.until(/Another machine joins with:\s+(.*)\n[^]*Ctrl\+C leaves/)
    address = /--swarm (\S+)/.exec(line!)![1]!
    expect(first.output()).toMatch(/Engine +native[^]*Blocks +0 to 2; .* of memory that may be used/)

    second = contributeNative('--swarm', address, '--blocks', '3')
    await second.until(/Serving blocks 3-5 of 6 · 0 sessions · 0 tokens served/)
    expect(second.output()).not.toContain('relay')
  })

  it('answers as transformers does, through both', async () => {
    expect(await answerOver(address)).toBe(expected)
  })

  it('starts the process that computes again when it was killed, says so, and serves on', async () => {
    process.kill(ownChild(first).pid, 'SIGKILL')
    await first.until(/The process that computes the blocks was killed[^]*The blocks are loaded again/)
    expect(await answerOver(address)).toBe(expected)
  })

  it('leaves the swarm on SIGTERM, says what it did, and leaves no process behind', async () => {
    const processes = [first, second].flatMap(({ child }) => processTree(child.pid!))
    expect(processes.length).toBe(4)
    for (const { child } of [second, first]) child.kill('SIGTERM')
    expect(await Promise.all([first.exited, second.exited])).toEqual([0, 0])
    expect(second.output()).toMatch(
      /Finishing blocks 3-5 of 6 · .* · [1-9]\d* tokens served · .*used by …\w{6}/,
    )
    expect(stillRunning(processes)).toEqual([])
  })
})
