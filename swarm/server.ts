import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  petalsServerScript,
  serverArguments,
  serverEnvironment,
  startPetalsProcess,
  type PetalsProcess,
  type ServerSettings,
} from '@petals-chat/contribute'
import { python, script } from './paths.ts'

export interface ServerOptions {
  readonly modelFolder: string
  readonly dhtPrefix: string
  /** The server holds the blocks [start, end). */
  readonly start: number
  readonly end: number
  /** Addresses of running servers; without any, a new swarm is started. */
  readonly initialPeers: readonly string[]
  /** Folder for the log and the identity. */
  readonly folder: string
  readonly name: string
  /** The name of an earlier server in this folder whose peer id it takes over, as a server that is started again does. */
  readonly identityOf?: string
  /** The TCP port on loopback; 0 (the default) selects a free port. */
  readonly port?: number
  /** The address to announce instead of the real one, if a relay is in front of the server. */
  readonly announce?: string
  /** Behind a NAT: the server does not listen, and is reachable only through the circuit relay at this address. */
  readonly behind?: string
  /** KV cache of each block, in tokens. */
  readonly cacheTokens?: number
  readonly dtype?: 'float32' | 'bfloat16'
  /** Further arguments of Petals' `run_server`. */
  readonly extra?: readonly string[]
  /** The server can be made to compute something else than its blocks, by `lie`. */
  readonly canLie?: boolean
  /** The server rewinds (`start_from_position`) and reads in each step where to push, as those of Petals' main branch do. */
  readonly canRewind?: boolean
}

/** A running Petals server: several processes in their own process group. */
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
  /** Makes a server that can lie do so from now on, as `swarm/python/lies.py` describes; '' ends it. */
  lie(how: string): Promise<void>
}

const startTimeoutMs = 180_000

const settingsOf = (options: ServerOptions): ServerSettings => ({
  model: options.modelFolder,
  swarm: options.initialPeers.length > 0 ? options.initialPeers : 'new',
  dhtPrefix: options.dhtPrefix,
  blocks: { start: options.start, end: options.end },
  dtype: options.dtype ?? 'float32',
  device: 'cpu',
  host: '127.0.0.1',
  port: options.port ?? 0,
  reach: reachOf(options),
  publicName: options.name,
  cacheTokens: options.cacheTokens ?? 16_384,
  identityPath: path.join(options.folder, `${options.identityOf ?? options.name}.id`),
  throughput: 100,
  handlers: 2,
  extra: ['--skip_reachability_check', ...(options.extra ?? [])],
})

function reachOf({ behind, announce }: ServerOptions): ServerSettings['reach'] {
  if (behind !== undefined) return { kind: 'relay', address: behind }
  return announce ? { kind: 'announced', addresses: [announce] } : { kind: 'auto' }
}

/** Undefined: the server as it is. */
function programOf({ canLie = false, canRewind = false }: ServerOptions): readonly string[] | undefined {
  // The last one sees what the others have made of the server.
  const changes = [canRewind && 'rewinding', canLie && 'lies'].filter((change) => change !== false)
  if (changes.length === 0) return undefined
  return [script('changed_server.py'), path.dirname(petalsServerScript), changes.join()]
}

/** Starts one server and waits until it serves. Its whole process group ends on disposal, or with this process. */
export async function startServer(options: ServerOptions): Promise<SwarmServer> {
  const settings = settingsOf(options)
  const logFile = path.join(options.folder, `${options.name}.log`)
  const serving = Promise.withResolvers<string>()
  const lieFile = path.join(options.folder, `${options.name}.lie`)
  let address: string | undefined
  const server = await startPetalsProcess({
    python,
    program: programOf(options),
    args: serverArguments(settings),
    environment: {
      ...serverEnvironment(settings, { isLocal: true, environment: process.env }),
      OMP_NUM_THREADS: '1',
      PETALS_LIE_FILE: lieFile,
    },
    logFile,
    onEvent: (event) => {
      if (event.kind === 'addresses') address = event.addresses[0]
      if (event.kind === 'started' && address !== undefined) serving.resolve(address)
    },
  })
  const multiaddr = await untilServing(serving.promise, server, logFile)
  const [, port, peerId] = /\/tcp\/(\d+)\/.*\bp2p\/(\w+)$/.exec(multiaddr) ?? []
  return {
    name: options.name,
    peerId: peerId ?? '',
    multiaddr,
    port: Number(port),
    start: options.start,
    end: options.end,
    logFile,
    exited: server.exited.then(() => {}),
    group: server.group,
    running: () => server.running(),
    signal: (name) => server.signal(name),
    lie: (how) => writeFile(lieFile, how),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** Resolves to the server's address when it serves. */
async function untilServing(
  serving: Promise<string>,
  server: PetalsProcess,
  logFile: string,
): Promise<string> {
  const timeout = AbortSignal.timeout(startTimeoutMs)
  const late = new Promise<undefined>((resolve) =>
    timeout.addEventListener('abort', () => resolve(undefined)),
  )
  const address = await Promise.race([serving, server.exited.then(() => undefined), late])
  if (address !== undefined) return address
  server.signal('SIGKILL')
  const { lastLines } = await server.exited
  throw new Error(
    `The Petals server did not start (log: ${logFile}). Its last lines:\n${lastLines.slice(-15).join('\n')}`,
  )
}
