import type { AbortOptions, Logger } from '@petals-chat/engine'
import {
  createListeningTransport,
  createRpcClient,
  type InboundBudget,
  peerIdBytes,
} from '@petals-chat/petals/protocol'
import type { BlockServerOptions } from './options.ts'
import { isReachable } from './reachability.ts'
import { directReach, type NodeReach } from './swarm-node.ts'

export interface ReachContext extends AbortOptions {
  readonly budget: InboundBudget
  readonly logger: Logger
}

/**
 * Finds out how other peers can reach this machine. `auto` asks the initial peers to dial a node at the same addresses, which is
 * there only for this; if they can't, the server listens through them as relays.
 */
export async function findReach(options: BlockServerOptions, context: ReachContext): Promise<NodeReach> {
  const { reach = 'auto', initialPeers } = options
  if (typeof reach === 'object') return relayed([reach.relay])
  if (reach === 'direct' || initialPeers.length === 0) return directReach(options)
  const isDirect = await canBeDialled(options, context)
  if (isDirect !== false) return directReach(options)
  context.logger.info(
    { relays: initialPeers },
    'other peers can not dial this machine: listening through relays',
  )
  return relayed(initialPeers)
}

const relayed = (relays: readonly string[]): NodeReach => ({
  listen: relays.map((address) => `${address}/p2p-circuit`),
  usesRelay: true,
})

async function canBeDialled(
  { initialPeers, announce, listen, limits }: BlockServerOptions,
  { signal }: ReachContext,
): Promise<boolean | undefined> {
  const addresses = { announce, ...directReach({ listen } as BlockServerOptions) }
  await using probe = await createListeningTransport({ connectTimeoutMs: 10_000, ...addresses, limits })
  await probe.connect(initialPeers, { signal })
  const own = peerIdBytes(probe.localPeer)
  const ends = signal ?? new AbortController().signal
  return await isReachable(createRpcClient(probe), own, probe.initialPeers, ends)
}
