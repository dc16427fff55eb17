import type { AbortOptions, Logger } from '@petals-chat/engine'
import {
  blockUid,
  blocksOf,
  createListeningTransport,
  createRpcClient,
  decodeMsgpack,
  dhtIdOf,
  freshIdentity,
  loadIdentity,
  parsePeerId,
  parseServerInfo,
  startDhtNode,
  type DhtNode,
  type InboundBudget,
  type ListeningTransport,
  type RecordCheck,
  type RpcClient,
} from '@petals-chat/petals/protocol'
import type { AnnouncedModel } from '../announce/announcer.ts'
import { defaultListen, type BlockServerOptions } from './options.ts'
import { serveReachability } from './reachability.ts'

/** The server's node in the swarm. */
export interface SwarmNode extends AsyncDisposable {
  readonly transport: ListeningTransport
  readonly rpc: RpcClient
  readonly dht: DhtNode
  /** Peers reach this node through a relay only. */
  readonly usesRelay: boolean
}

const connectTimeoutMs = 10_000

/** How a node is reached. */
export interface NodeReach {
  /** Addresses to listen on. */
  readonly listen: readonly string[]
  readonly usesRelay: boolean
}

/** Starts a node, and makes it known to the swarm. @throws SwarmUnreachableError */
export async function startSwarmNode(
  options: BlockServerOptions,
  reach: NodeReach,
  { budget, logger, signal }: { readonly budget: InboundBudget; readonly logger: Logger } & AbortOptions,
): Promise<SwarmNode> {
  const { initialPeers, announce, relay = true, limits, model } = options
  await using opening = new AsyncDisposableStack()
  const transport = opening.use(
    await createListeningTransport({
      privateKey: await identity(options.identityPath),
      connectTimeoutMs,
      listen: reach.listen,
      // Others have shown that they can't dial these: only the relays' are right.
      announce: reach.usesRelay ? undefined : announce,
      relay: relay && !reach.usesRelay,
      limits,
      logger,
    }),
  )
  const rpc = createRpcClient(transport)
  const accepts = schemaOf(model)
  const serves = !reach.usesRelay
  if (initialPeers.length > 0) await transport.connect(initialPeers, { signal })
  const dht = opening.use(
    await startDhtNode({ transport, rpc, reserve: budget.reserve, accepts, serves, logger }),
  )
  if (serves) await serveReachability(transport, budget.reserve)
  if (initialPeers.length > 0) await dht.bootstrap({ signal })
  const resources = opening.move()
  const { usesRelay } = reach
  return { transport, rpc, dht, usesRelay, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

export const directReach = ({ listen = defaultListen }: BlockServerOptions): NodeReach => ({
  listen,
  usesRelay: false,
})

const identity = (path: string | undefined) => (path === undefined ? freshIdentity() : loadIdentity(path))

/** Records about the blocks of the server's own model must be announcements of servers: others can only be meant to harm. */
function schemaOf({ dhtPrefix, numBlocks }: AnnouncedModel): RecordCheck {
  const blocks = blocksOf({ start: 0, end: numBlocks })
  const keys = new Set(blocks.map((block) => hex(dhtIdOf(blockUid(dhtPrefix, block)))))
  return ({ keyId, subkey, value }) => {
    if (!keys.has(hex(keyId))) return true
    if (typeof subkey !== 'string') return false
    try {
      parsePeerId(subkey)
      return parseServerInfo(decodeMsgpack(value)) !== undefined
    } catch {
      return false
    }
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
