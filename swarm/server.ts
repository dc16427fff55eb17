import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { petalsServerScript } from '@petals-chat/contribute'
import { python } from './paths.ts'

export interface ServerOptions {
  readonly modelFolder: string
  readonly dhtPrefix: string
  /** Blocks [start, end) that the server holds. */
  readonly start: number
  readonly end: number
  /** Addresses of a running server; none starts a new swarm. */
  readonly initialPeers: readonly string[]
  /** Folder for the log and the identity. */
  readonly folder: string
  readonly name: string
  /** TCP port on loopback; 0 (the default) takes a free one. */
  readonly port?: number
  /** Address to announce instead of the real one, for a relay in front of the server. */
  readonly announce?: string
  /** Behind a NAT: nothing listens, and only the circuit relay of the server at this address leads here. */
  readonly behind?: string
  /** KV cache of each block, in tokens. */
  readonly cacheTokens?: number
  readonly dtype?: 'float32' | 'bfloat16'
  /** Further arguments of Petals' `run_server`. */
  readonly extra?: readonly string[]
}

/** A running Petals server: several processes in one group of their own. */
export interface SwarmServer extends AsyncDisposable {
  readonly name: string
  readonly peerId: string
  /** `/ip4/127.0.0.1/tcp/PORT/p2p/PEER` */
  readonly multiaddr: string
  readonly port: number
  readonly start: number
  readonly end: number
  readonly logFile: string
  readonly exited: Promise<void>
  /** Id of the process group. */
  readonly group: number
  running(): boolean
  /** Sends a signal to all processes of the server. */
  signal(signal: NodeJS.Signals): void
}

const startTimeoutMs = 180_000
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** What a server that can't be dialled finds out by itself in minutes, by asking peers in the open internet. */
const relayedBy = (relay: string): object => ({
  reachable_via_relay: true,
  force_reachability: 'private',
  no_listen: true,
  trusted_relays: [relay],
})

function serverArguments(options: ServerOptions): string[] {
  const peers =
    options.initialPeers.length > 0 ? ['--initial_peers', ...options.initialPeers] : ['--new_swarm']
  const { behind } = options
  const announced = behind === undefined ? options.announce : `${behind}/p2p-circuit`
  return [
    petalsServerScript,
    ...(behind === undefined ? [] : ['--p2p', JSON.stringify(relayedBy(behind))]),
    options.modelFolder,
    ...peers,
    ...['--identity_path', path.join(options.folder, `${options.name}.id`)],
    ...['--host_maddrs', `/ip4/127.0.0.1/tcp/${options.port ?? 0}`],
    ...(announced ? ['--announce_maddrs', announced] : []),
    ...['--block_indices', `${options.start}:${options.end}`],
    ...['--dht_prefix', options.dhtPrefix],
    ...['--attn_cache_tokens', String(options.cacheTokens ?? 16_384)],
    ...['--torch_dtype', options.dtype ?? 'float32'],
    ...['--public_name', options.name],
    ...['--throughput', '100', '--device', 'cpu', '--num_handlers', '2', '--skip_reachability_check'],
    ...(options.extra ?? []),
  ]
}

/** Starts one server and waits until it serves. Its whole process group ends with `signal` or disposal, or with this process. */
export async function startServer(options: ServerOptions): Promise<SwarmServer> {
  await mkdir(options.folder, { recursive: true })
  const logFile = path.join(options.folder, `${options.name}.log`)
  const log = createWriteStream(logFile, { flags: 'w' })
  const child = spawn(python, serverArguments(options), {
    detached: true,
    // The server ends when its standard input does: also when this process is killed.
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, HF_HUB_OFFLINE: '1', PYTHONUNBUFFERED: '1', OMP_NUM_THREADS: '1' },
  })
  child.stdin.on('error', () => {}) // it is gone: `exit` tells
  child.stdout.pipe(log)
  child.stderr.pipe(log)
  const group = child.pid
  if (group === undefined)
    throw new Error(`The Petals server ${options.name} could not be started with ${python}.`)

  const signal = (name: NodeJS.Signals): void => {
    try {
      process.kill(-group, name)
    } catch {
      // The group is gone already.
    }
  }
  const endWithUs = (): void => signal('SIGKILL')
  process.on('exit', endWithUs)
  let running = true
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      running = false
      signal('SIGKILL')
      process.off('exit', endWithUs)
      resolve()
    }),
  )

  const multiaddr = await waitUntilServing(logFile, () => running).catch((error: unknown) => {
    signal('SIGKILL')
    throw error
  })
  const [, port, peerId] = /\/tcp\/(\d+)\/.*\bp2p\/(\w+)$/.exec(multiaddr) ?? []
  return {
    name: options.name,
    peerId: peerId ?? '',
    multiaddr,
    port: Number(port),
    start: options.start,
    end: options.end,
    logFile,
    exited,
    group,
    running: () => running,
    signal,
    async [Symbol.asyncDispose]() {
      signal('SIGCONT')
      signal('SIGTERM')
      await Promise.race([exited, pause(3000)])
      signal('SIGKILL')
      await exited
    },
  }
}

/** The address that the log states, once the log says that the server has started. */
async function waitUntilServing(logFile: string, isRunning: () => boolean): Promise<string> {
  const deadline = Date.now() + startTimeoutMs
  while (Date.now() < deadline) {
    const text = await readFile(logFile, 'utf8').catch(() => '')
    const address = /Running a server on \['([^']+)'/.exec(text)?.[1]
    if (address && /\[INFO\] Started\b/.test(text)) return address
    if (!isRunning()) break
    await pause(200)
  }
  const tail = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n').slice(-15).join('\n')
  throw new Error(`The Petals server did not start (log: ${logFile}). Its last words:\n${tail}`)
}
