import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ensureModel, findModel } from './models.ts'
import { rootFolder } from './paths.ts'
import { spansOf, type SwarmOptions } from './swarm.ts'

/** A private swarm of servers without Python, each started by `petals-chat contribute`. */
export interface NativeSwarm extends AsyncDisposable {
  readonly modelFolder: string
  readonly dhtPrefix: string
  readonly initialPeers: readonly string[]
  readonly servers: readonly RunningServer[]
}

interface RunningServer {
  readonly exited: Promise<void>
  /** Id of the process group of the server: the command and the process that computes. */
  readonly group: number
}

export interface NativeSwarmOptions extends Pick<
  SwarmOptions,
  'model' | 'blocksPerServer' | 'replicas' | 'port' | 'cacheTokens' | 'onProgress'
> {
  /** Default: as in the files. */
  readonly quantization?: 'none' | 'q8_0' | 'q4_k'
}

const command = path.join(rootFolder, 'packages', 'cli', 'bin', 'petals-chat.mjs')
const keptOutput = 4000
const endMs = 5000

/** Starts the servers on loopback: the first one starts the swarm, the others join it together. They end with this process. */
export async function startNativeSwarm(options: NativeSwarmOptions): Promise<NativeSwarm> {
  const { onProgress: report = () => {}, blocksPerServer, replicas = 1, port = 0 } = options
  const model = findModel(options.model)
  report(`Preparing ${model.name}`)
  const modelFolder = await ensureModel(model)
  const spans = spansOf(model.blocks, blocksPerServer ?? Math.ceil(model.blocks / 2), replicas)
  const common = ['--host', '127.0.0.1', '--dht-prefix', model.dhtPrefix, '--device', 'cpu']
  if (options.cacheTokens !== undefined) common.push('--cache-tokens', String(options.cacheTokens))
  if (options.quantization !== undefined) common.push('--quantization', options.quantization)
  const servers: NativeServer[] = []
  const dispose = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.end()))
  }
  const start = async (index: number, ...place: readonly string[]): Promise<string> => {
    const { start: first, end } = spans[index]!
    report(`Starting server ${index + 1} of ${spans.length}`)
    const words = ['--blocks', `${first}:${end}`, '--public-name', `server-${index}`, ...place, ...common]
    const server = new NativeServer([command, 'contribute', modelFolder, ...words])
    servers.push(server)
    const address = await server.address
    report(`server-${index} serves blocks ${first}…${end - 1} at ${address}`)
    return address
  }
  try {
    const address = await start(0, '--swarm', 'new', '--port', String(port))
    const join = ['--swarm', address, '--port', '0', '--relay', 'off']
    await Promise.all(spans.slice(1).map((_, index) => start(index + 1, ...join)))
    const { dhtPrefix } = model
    return { modelFolder, dhtPrefix, initialPeers: [address], servers, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

class NativeServer implements RunningServer {
  readonly exited: Promise<void>
  readonly #child: ChildProcess
  #output = ''

  constructor(words: readonly string[]) {
    // It ends when the IPC channel closes, even if this process is killed; Ctrl+C in a terminal is for this process.
    this.#child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true })
    this.exited = once(this.#child, 'close').then(() => {})
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', (chunk: Buffer) => (this.#output = (this.#output + String(chunk)).slice(-keptOutput)))
  }

  get group(): number {
    return this.#child.pid!
  }

  /** Resolves to its address when it serves. */
  get address(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const look = (): void => {
      const [, address] = /^ {2}Addresses: (\S+).*\n[^]*Ctrl\+C leaves/m.exec(this.#output) ?? []
      if (address !== undefined) resolve(address)
    }
    this.#child.stdout!.on('data', look)
    void this.exited.then(() => reject(new Error(`A server did not start:\n${this.#output}`)))
    return promise
  }

  async end(): Promise<void> {
    this.#child.kill('SIGTERM')
    await Promise.race([this.exited, setTimeout(endMs, undefined, { ref: false })])
    this.#child.kill('SIGKILL')
    await this.exited
  }
}
