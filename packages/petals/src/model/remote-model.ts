import type { AbortOptions, Logger } from '@petals-chat/engine'
import { SpotChecks } from '../audit/spot-checks.ts'
import { createInferenceContext, type InferenceContextOptions } from '../inference/inference-context.ts'
import type { InferenceSession } from '../inference/inference-session.ts'
import { createInferenceSession } from '../inference/swarm-inference-session.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { ModelSwarm } from '../swarm/model-swarms.ts'

/** The blocks of one model, run by the servers of a swarm. Disposing it closes its sessions; its directory and router stay. */
export interface RemoteModel extends ModelSwarm, AsyncDisposable {
  /** Length of a hidden-state vector. */
  readonly hiddenSize: number
  /** Contacts no server: the session's first step, or its `open`, does. */
  openSession(options: RemoteSessionOptions): InferenceSession
  /** Returns for how many more sessions of so many tokens the servers have room, as far as is known. Contacts no server. */
  sessionsThatFit(tokens: number): number
  /** Asks servers that lack the room for a session of so many tokens how much they have now. Never throws. */
  askRoom(tokens: number, options?: AbortOptions): Promise<void>
  /** Median time of a decode step on a server, milliseconds; undefined before the first. */
  decodeMs(peer: PeerId): number | undefined
}

export interface RemoteSessionOptions {
  /** Tokens that the session may hold, at most. Servers are asked for KV cache as it is needed. */
  readonly maxLength: number
  /** Default: the model's logger. */
  readonly logger?: Logger | undefined
  /** `SessionOptions.makeRoom` of the engine. */
  readonly makeRoom?: (() => Promise<boolean>) | undefined
}

/** Sessions of one model share what was learned of its servers: times, limits, capabilities. */
export function openRemoteModel(
  swarm: ModelSwarm,
  options: Pick<InferenceContextOptions, 'rpc' | 'hiddenSize' | 'config' | 'logger' | 'metrics'>,
): RemoteModel {
  const { dhtPrefix, numBlocks, adapter, router } = swarm
  const blocks = { start: 0, end: numBlocks }
  const unobserved = createInferenceContext({ ...options, router, dhtPrefix, blocks, adapter })
  const checks = options.config.audit === 'off' ? undefined : new SpotChecks(unobserved)
  const context = { ...unobserved, observer: checks }
  const sessions = new Set<InferenceSession>()
  return {
    ...swarm,
    hiddenSize: options.hiddenSize,
    openSession({ maxLength, logger = context.logger, makeRoom }) {
      const onClose = (): void => void sessions.delete(session)
      const session = createInferenceSession({ ...context, logger }, { maxLength, onClose, makeRoom })
      sessions.add(session)
      return session
    },
    // Standbys give up their room for sessions.
    sessionsThatFit: (tokens) =>
      router.sessionsThatFit(blocks, tokens, (peer) => context.standbyLoad.reserved(peer)),
    askRoom: (tokens, options) => router.askRoom(tokens, options),
    decodeMs: (peer) => context.times.decodeMs(peer),
    async [Symbol.asyncDispose]() {
      await checks?.[Symbol.asyncDispose]()
      await Promise.all([...sessions].map((session) => session[Symbol.asyncDispose]()))
    },
  }
}
