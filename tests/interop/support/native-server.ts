import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import {
  openBlockModel,
  startBlockEngine,
  startBlockServer,
  type BlockServer,
  type WeightType,
} from '@petals-chat/blocks'
import type { BlockRange } from '@petals-chat/petals/protocol'
import { findModel, type SwarmModel } from '../../../swarm/models.ts'
import type { SwarmServer } from '../../../swarm/server.ts'
import type { Swarm } from '../../../swarm/swarm.ts'
import { folderFiles } from '../../support/folder-files.ts'

export interface NativeServerOptions {
  readonly modelFolder: string
  readonly model: Pick<SwarmModel, 'dhtPrefix' | 'blocks'>
  /** The server holds the blocks [start, end). */
  readonly start: number
  readonly end: number
  readonly initialPeers: readonly string[]
  readonly name: string
  /** Default: as in the files. */
  readonly weights?: WeightType
  /** Default: f16, as for users. */
  readonly cacheType?: 'f32' | 'f16'
  /** Cannot be dialled, as behind a router: the server finds that out, and a relay. */
  readonly behindNat?: boolean
}

const cacheTokens = 4096

/** Starts a server without Python in this process; its blocks are computed in a child process. */
export async function startNativeServer(options: NativeServerOptions): Promise<BlockServer> {
  const { modelFolder, model, start, end, initialPeers, name, weights, cacheType, behindNat } = options
  const blocks = await openBlockModel(folderFiles(modelFolder))
  const engine = {
    model: blocks,
    cacheTokens,
    threads: 1,
    ...(weights && { weights }),
    ...(cacheType && { cacheType }),
  }
  return await startBlockServer({
    model: { dhtPrefix: model.dhtPrefix, numBlocks: model.blocks },
    blocks: { start, end },
    openEngine: (range, { signal }) => startBlockEngine({ ...engine, ...range, signal }),
    initialPeers,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    // Nothing listens on this port.
    ...(behindNat ? { reach: 'auto', announce: ['/ip4/127.0.0.1/tcp/9'] } : { reach: 'direct' }),
    publicName: name,
    version: '0.0.0',
  })
}

/** A server without Python in a process of its own, which can be killed. */
export interface NativeServerProcess extends AsyncDisposable {
  readonly peer: string
  readonly addresses: readonly string[]
  readonly pid: number
  readonly exited: Promise<void>
  /** Ends the process at once, as a power cut does. */
  kill(): Promise<void>
}

/** Starts such a process, and waits until it serves. It ends with this process. */
export async function startNativeProcess(options: NativeServerOptions): Promise<NativeServerProcess> {
  const main = fileURLToPath(new URL('./native-server-main.ts', import.meta.url))
  const child = fork(main, [JSON.stringify(options)], { execArgv: ['--conditions=petals-chat-source'] })
  const exited = once(child, 'exit').then(() => {})
  const [serving] = (await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error('The native server ended before it served.'))),
  ])) as [Pick<NativeServerProcess, 'peer' | 'addresses'>]
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  return { ...serving, pid: child.pid!, exited, kill, [Symbol.asyncDispose]: kill }
}

/** Starts such a process as a server of a swarm of Python servers, with keys and values of 32 bits as they have. */
export async function addNativeServer(
  swarm: Swarm,
  model: string,
  { start, end }: BlockRange,
): Promise<SwarmServer> {
  const { modelFolder, servers } = swarm
  const name = `native-${servers.length}`
  const initialPeers = servers.filter(({ running }) => running()).map(({ multiaddr }) => multiaddr)
  const options = { modelFolder, model: findModel(model), start, end, initialPeers, name }
  const server = await startNativeProcess({ ...options, cacheType: 'f32' })
  const [multiaddr] = server.addresses
  let running = true
  void server.exited.then(() => (running = false))
  const adopted: SwarmServer = {
    name,
    peerId: server.peer,
    multiaddr: multiaddr!,
    port: Number(/\/tcp\/(\d+)/.exec(multiaddr!)![1]),
    start,
    end,
    logFile: '',
    exited: server.exited,
    group: server.pid,
    running: () => running,
    signal: (signal) => void (running && process.kill(server.pid, signal)),
    lie: () => Promise.reject(new Error('A server without Python does not lie.')),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
  swarm.adopt(adopted)
  return adopted
}
