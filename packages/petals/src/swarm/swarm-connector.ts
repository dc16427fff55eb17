import { abortable, silentLogger, type AbortOptions, type Logger } from '@petals-chat/engine'
import type { SwarmConfig } from '../config.ts'
import type { DhtClient } from '../dht/dht-client.ts'
import type { SwarmTransport } from '../p2p/swarm-transport.ts'
import type { RpcClient } from '../rpc/rpc-client.ts'

/** A node in the swarm. */
export interface SwarmConnection {
  readonly transport: SwarmTransport
  readonly rpc: RpcClient
  readonly dht: DhtClient
}

export interface SwarmConnectorOptions {
  readonly config: Pick<
    SwarmConfig,
    'initialPeers' | 'identityPath' | 'connectTimeoutMs' | 'privateAddresses'
  >
  readonly logger?: Logger | undefined
}

/** Joins the swarm on first use. All callers share the connection, which is kept until this object is disposed. */
export class SwarmConnector implements AsyncDisposable {
  readonly #options: SwarmConnectorOptions
  readonly #closing = new AbortController()
  #connecting: Promise<SwarmConnection> | undefined

  constructor(options: SwarmConnectorOptions) {
    this.#options = options
  }

  /** Returns the connection. After a failure the next call tries again. @throws SwarmUnreachableError if no initial peer answers */
  get({ signal }: AbortOptions = {}): Promise<SwarmConnection> {
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined
      throw error
    })
    return abortable(this.#connecting, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('The swarm engine was closed.'))
    const connection = await this.#connecting?.catch(() => undefined)
    await connection?.transport[Symbol.asyncDispose]()
  }

  async #connect(): Promise<SwarmConnection> {
    const { config, logger = silentLogger } = this.#options
    const { signal } = this.#closing
    signal.throwIfAborted()
    // Loading libp2p takes longer than connecting. It is imported here so that processes that need no swarm don't load it.
    const [p2p, identity, { createRpcClient }, { createDhtClient }] = await Promise.all([
      import('../p2p/libp2p-transport.ts'),
      import('../p2p/identity.ts'),
      import('../rpc/transport-rpc-client.ts'),
      import('../dht/hivemind-dht-client.ts'),
    ])
    const privateKey =
      config.identityPath === undefined ? undefined : await identity.loadIdentity(config.identityPath)
    const transport = await p2p.createLibp2pTransport({ ...config, privateKey })
    try {
      await transport.connect(config.initialPeers, { signal })
    } catch (error) {
      await transport[Symbol.asyncDispose]()
      throw error
    }
    const rpc = createRpcClient(transport)
    logger.info({ peer: transport.localPeer, via: transport.initialPeers[0] }, 'joined the swarm')
    return { transport, rpc, dht: createDhtClient({ transport, rpc }) }
  }
}
