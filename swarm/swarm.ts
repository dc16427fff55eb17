import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from '../packages/engine/src/testing/free-port.ts'
import { ensureModel, findModel } from './models.ts'
import { startRelay, type Relay, type RelayConditions } from './relay.ts'
import { startServer, type ServerOptions, type SwarmServer } from './server.ts'

export interface SwarmOptions {
  /** The name of one of `swarmModels`. */
  readonly model: string
  /** Blocks of each server; the last one may have fewer. By default there are two servers. */
  readonly blocksPerServer?: number
  /** Servers for each span (default 1). */
  readonly replicas?: number
  /** The TCP port of the first server; the others use free ports. */
  readonly port?: number
  readonly cacheTokens?: number
  readonly dtype?: ServerOptions['dtype']
  /** Further arguments of Petals' `run_server`, for example `--session_timeout 20 --step_timeout 5`. */
  readonly extra?: readonly string[]
  /** Puts a relay in front of every server; peers and clients reach the server only through it. */
  readonly relay?: RelayConditions
  /** All servers but the first are behind a NAT: they are reachable only through its circuit relay. */
  readonly behindNat?: boolean
  /** All servers can be made to lie. */
  readonly canLie?: boolean
  /** All servers can rewind. */
  readonly canRewind?: boolean
  readonly onProgress?: (text: string) => void
}

export interface Swarm extends AsyncDisposable {
  readonly modelFolder: string
  readonly dhtPrefix: string
  readonly blocks: number
  readonly initialPeers: readonly string[]
  readonly servers: readonly SwarmServer[]
  /** The relay in front of a server, if the swarm has relays. */
  relayOf(server: SwarmServer): Relay | undefined
  /** Starts one more server, for example to replace one that a test has killed. */
  add(
    options: Partial<ServerOptions> & { readonly start: number; readonly end: number },
  ): Promise<SwarmServer>
  /** Makes a server that something else has started one of `servers`. It ends with the swarm. */
  adopt(server: SwarmServer): void
}

/** Returns the span of each server: all of the first replica, then those of the next. */
export function spansOf(
  blocks: number,
  size: number,
  replicas: number,
): { start: number; end: number; replica: number }[] {
  const starts = Array.from({ length: Math.ceil(blocks / size) }, (_, index) => index * size)
  return Array.from({ length: replicas }, (_, replica) =>
    starts.map((start) => ({ start, end: Math.min(start + size, blocks), replica })),
  ).flat()
}

/**
 * Starts a real private Petals swarm on loopback. Its processes end on disposal, or with this process. The first server
 * bootstraps the others.
 */
export async function startSwarm(options: SwarmOptions): Promise<Swarm> {
  const report = options.onProgress ?? (() => {})
  const model = findModel(options.model)
  report(`Preparing ${model.name}`)
  const modelFolder = await ensureModel(model)
  const folder = await mkdtemp(path.join(tmpdir(), 'petals-swarm-'))
  const servers: SwarmServer[] = []
  const relays = new Map<SwarmServer, Relay>()
  let counter = 0
  let hasFailed = false
  const addressOf = (server: SwarmServer): string => {
    const relay = relays.get(server)
    return relay ? `/ip4/127.0.0.1/tcp/${relay.port}/p2p/${server.peerId}` : server.multiaddr
  }

  const add: Swarm['add'] = async (part) => {
    const name = `${part.name ?? 'server'}-${counter++}`
    // The log names only the announced address, so behind a relay the real port must be chosen beforehand.
    const port = part.port ?? (options.relay ? await freePort() : 0)
    const relay = options.relay ? await startRelay(() => port, options.relay) : undefined
    const server = await startServer({
      modelFolder,
      dhtPrefix: model.dhtPrefix,
      // All running servers, because a server fails to start if all its initial peers have died.
      initialPeers: servers.filter(({ running }) => running()).map(addressOf),
      folder,
      ...(options.cacheTokens === undefined ? {} : { cacheTokens: options.cacheTokens }),
      ...(options.dtype === undefined ? {} : { dtype: options.dtype }),
      ...(options.extra === undefined ? {} : { extra: options.extra }),
      canLie: options.canLie ?? false,
      canRewind: options.canRewind ?? false,
      ...(relay ? { announce: `/ip4/127.0.0.1/tcp/${relay.port}` } : {}),
      ...part,
      port,
      name,
    }).catch((error: unknown) => {
      hasFailed = true
      throw error
    })
    if (relay) relays.set(server, relay)
    servers.push(server)
    report(`${name} serves blocks ${server.start}…${server.end - 1} at ${server.multiaddr}`)
    return server
  }
  const dispose = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
    await Promise.all([...relays.values()].map((relay) => relay[Symbol.asyncDispose]()))
    // The error names the log file, which must then be kept.
    if (!hasFailed) await rm(folder, { recursive: true, force: true })
  }

  try {
    const spans = spansOf(
      model.blocks,
      options.blocksPerServer ?? Math.ceil(model.blocks / 2),
      options.replicas ?? 1,
    )
    for (const { start, end, replica } of spans) {
      const [first] = servers
      const place = first
        ? options.behindNat && { behind: addressOf(first) }
        : options.port !== undefined && { port: options.port }
      report(`Starting server ${servers.length + 1} of ${spans.length}`)
      await add({ start, end, name: `replica-${replica}`, ...place })
    }
  } catch (error) {
    await dispose()
    throw error
  }
  const first = servers[0]
  if (!first) throw new Error('A swarm needs at least one server.')
  return {
    modelFolder,
    dhtPrefix: model.dhtPrefix,
    blocks: model.blocks,
    initialPeers: [addressOf(first)],
    servers,
    relayOf: (server) => relays.get(server),
    add,
    adopt: (server) => void servers.push(server),
    [Symbol.asyncDispose]: dispose,
  }
}
