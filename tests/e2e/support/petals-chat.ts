import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultModelPath, testCacheHome } from '../../support/model.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** The built command line. */
export const command = path.join(root, 'packages', 'cli', 'bin', 'petals-chat.mjs')

export const artifactsFolder = path.join(root, 'artifacts')

/**
 * Nothing can be below a file, so there are no API keys: with keys, every server would ask for them. A test that makes some
 * sets XDG_DATA_HOME, or the file in its configuration.
 */
const noData = path.join(root, 'package.json')

/** The environment of a user who has set nothing: no proxy to the Hub, no settings from this machine. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(HF_|HUGGINGFACE|PETALS_CHAT_|XDG_)/.test(name),
  )
  return { ...Object.fromEntries(kept), NO_COLOR: '1', XDG_DATA_HOME: noData, ...extra }
}

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `petals-chat ARGS` to its end. */
export function petalsChat(
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>
    readonly cwd?: string
    readonly input?: string
  } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [command, ...args], {
      cwd: options.cwd ?? root,
      env: cleanEnvironment(options.env),
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += chunk))
    child.stderr.on('data', (chunk) => (stderr += chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
    child.stdin.end(options.input ?? '')
  })
}

export interface PetalsChat extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  readonly process: ChildProcess
  /** All that it has printed so far. */
  readonly output: () => string
  /** From the spawn to the first line with the address. */
  readonly startedAfterMs: number
  readonly exited: Promise<number | null>
}

export interface StartOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Wait until the default model answers, too (default true). */
  readonly untilReady?: boolean
}

/** Starts `petals-chat serve` on a free port, as its users do, and waits until it listens. */
export async function startPetalsChat(options: StartOptions = {}): Promise<PetalsChat> {
  const started = performance.now()
  const child = spawn(process.execPath, [command, 'serve', '--port', '0', ...(options.args ?? [])], {
    cwd: options.cwd ?? root,
    env: cleanEnvironment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk
      const address = /is listening on (http:\/\/\S+)/.exec(output)?.[1]
      if (address) resolve(address.replace(/\/$/, ''))
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`petals-chat ended with exit code ${code}:\n${output}`)))
  })
  const server: PetalsChat = {
    url,
    process: child,
    output: () => output,
    startedAfterMs: performance.now() - started,
    exited,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await exited
      clearTimeout(timer)
    },
  }
  if (options.untilReady !== false) await waitUntilReady(server)
  return server
}

/** Waits until `/ready` says so. @throws Error with the server's output if it does not within two minutes. */
export async function waitUntilReady(server: Pick<PetalsChat, 'url' | 'output'>): Promise<void> {
  const deadline = Date.now() + 120_000
  while (Date.now() < deadline) {
    const response = await fetch(`${server.url}/ready`).catch(() => undefined)
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`petals-chat did not become ready:\n${server.output()}`)
}

/** An environment in which the default model is on the machine already, as after a first start. */
export async function withDefaultModel(): Promise<Readonly<Record<string, string>>> {
  await defaultModelPath()
  return { XDG_CACHE_HOME: testCacheHome, PETALS_CHAT_OFFLINE: '1' }
}
