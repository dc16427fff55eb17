import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '@petals-chat/engine/testing'
import { endGroup, endsWithUs } from '../../swarm/process-group.ts'
import { command } from '../../tests/e2e/support/petals-chat.ts'
import type { Target } from './stream-times.ts'

const cache = fileURLToPath(new URL('../../.cache/peers/', import.meta.url))
const startTimeoutMs = 120_000

/** The peers of this benchmark, of the same month. */
export const versions = { portkey: '1.15.2', litellm: '1.108.7' }

/** With the newest releases of Hono that its ranges allow, Portkey's gateway answers every stream with status 500. */
const portkeyPackage = {
  private: true,
  dependencies: { '@portkey-ai/gateway': versions.portkey },
  overrides: { hono: '4.9.7', '@hono/node-server': '1.3.3', '@hono/node-ws': '1.2.0' },
}

/** A program that answers, in a process group of its own. */
export interface Served extends AsyncDisposable {
  readonly target: Target
  readonly group: number
  /** The lines that it prints after its address. */
  readonly lines: AsyncIterator<string>
}

/** Starts `paced-server.ts`: the upstream itself, a relay in front of one, or our gateway with a scripted engine. */
export async function startPaced(kind: 'upstream' | 'relay' | 'gateway', upstream = ''): Promise<Served> {
  const program = fileURLToPath(new URL('paced-server.ts', import.meta.url))
  const child = start(process.execPath, ['--conditions=petals-chat-source', program, kind, upstream], {})
  child.stderr!.pipe(process.stderr)
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const { value: url } = (await lines.next()) as { value: string }
  return {
    target: { base: `${url}/v1`, model: kind === 'gateway' ? 'test' : 'paced' },
    ...ended(child),
    lines,
  }
}

/** Starts the built command with the upstream as its model. */
export async function startOurs(upstream: string, folder: string): Promise<Served> {
  return startCommand({ models: [{ id: 'paced', engine: 'upstream', baseUrl: upstream }] }, folder)
}

/** A configuration of Petals Chat, whose first model answers. */
interface Configuration {
  readonly models: readonly [Readonly<Record<string, unknown>> & { readonly id: string }, ...object[]]
  readonly llama?: Readonly<Record<string, unknown>>
}

/** Starts the built command. Its files are in `folder`. */
export async function startCommand(config: Configuration, folder: string): Promise<Served> {
  const file = path.join(folder, 'petals-chat.yaml')
  writeFileSync(file, JSON.stringify(config))
  const port = await freePort()
  const child = start(process.execPath, [command, '--config', file, 'serve', '--port', String(port)], {
    XDG_DATA_HOME: folder,
  })
  return await whenItAnswers(child, port, { base: `http://127.0.0.1:${port}/v1`, model: config.models[0].id })
}

export async function startPortkey(upstream: string): Promise<Served> {
  const folder = path.join(cache, 'portkey')
  if (!existsSync(path.join(folder, 'node_modules'))) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify(portkeyPackage))
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps']
    orThrow(spawnSync('npm', args, { cwd: folder, encoding: 'utf8' }))
  }
  const port = await freePort()
  const program = path.join(folder, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js')
  const child = start(process.execPath, [program, '--headless', `--port=${port}`], {})
  const headers = {
    authorization: 'Bearer none',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': upstream,
  }
  return await whenItAnswers(child, port, { base: `http://127.0.0.1:${port}/v1`, headers, model: 'paced' })
}

export async function startLitellm(upstream: string, folder: string): Promise<Served> {
  const environment = path.join(cache, 'litellm')
  if (!existsSync(path.join(environment, 'bin', 'litellm'))) {
    mkdirSync(cache, { recursive: true })
    orThrow(spawnSync('python3', ['-m', 'venv', environment], { encoding: 'utf8' }))
    const pip = path.join(environment, 'bin', 'pip')
    orThrow(
      spawnSync(pip, ['install', '--quiet', `litellm[proxy]==${versions.litellm}`], { encoding: 'utf8' }),
    )
  }
  const config = path.join(folder, 'litellm.json')
  const params = { model: 'openai/paced', api_base: upstream, api_key: 'none' }
  writeFileSync(
    config,
    JSON.stringify({
      model_list: [{ model_name: 'paced', litellm_params: params }],
      litellm_settings: { telemetry: false },
    }),
  )
  const port = await freePort()
  const address = ['--host', '127.0.0.1', '--port', String(port), '--num_workers', '1']
  const child = start(path.join(environment, 'bin', 'litellm'), ['--config', config, ...address], {
    // Its table of prices is in the package: nothing is to be fetched.
    LITELLM_LOCAL_MODEL_COST_MAP: 'True',
    // Ours asks for no key either.
    LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY: 'true',
  })
  const headers = { authorization: 'Bearer none' }
  return await whenItAnswers(child, port, { base: `http://127.0.0.1:${port}/v1`, headers, model: 'paced' })
}

function orThrow({ status, stderr }: { readonly status: number | null; readonly stderr: string }): void {
  if (status !== 0) throw new Error(stderr.trim().split('\n').slice(-5).join('\n'))
}

function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  endsWithUs(child)
  return child
}

const ended = (child: ChildProcess) => ({
  group: child.pid!,
  async [Symbol.asyncDispose](): Promise<void> {
    endGroup(child)
  },
})

async function whenItAnswers(child: ChildProcess, port: number, target: Target): Promise<Served> {
  child.stdout!.resume()
  let errors = ''
  child.stderr!.on('data', (chunk: Buffer) => (errors = (errors + chunk).slice(-2000)))
  const deadline = Date.now() + startTimeoutMs
  while (child.exitCode === null && Date.now() < deadline) {
    if (await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined))
      return { target, ...ended(child), lines: (async function* () {})() }
    await sleep(200)
  }
  endGroup(child)
  throw new Error(`${child.spawnfile} ${child.spawnargs.slice(1).join(' ')} has not answered:\n${errors}`)
}
