import type { AbortOptions } from '@petals-chat/engine'
import { rangeUid } from '../blocks/block-uid.ts'
import type { Span } from '../blocks/spans.ts'
import { RpcError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { RpcClient } from '../rpc/rpc-client.ts'
import { inferenceMethod, openingRequest, stepRequest } from './inference-methods.ts'
import { maxResponseBytes } from './step-outputs.ts'

/** A finding is valid for this long, because a server may be updated. */
const lifetimeMs = 3_600_000
const probeTimeoutMs = 5000

/** Rewinding was added between builds that all call themselves 2.3.0.dev2. Older versions can't do it. */
const firstVersionInDoubt = [2, 3]

interface Finding {
  readonly canRewind: Promise<boolean>
  readonly foundAt: number
}

export interface ServerCapabilitiesOptions {
  readonly rpc: RpcClient
  readonly dhtPrefix: string
  readonly hiddenSize: number
}

/**
 * Finds out by a trial what servers can do beyond plain generation, because older ones silently ignore what they don't know.
 * A server that can rewind also reads in each step's metadata where to push its outputs to.
 */
export class ServerCapabilities {
  readonly #options: ServerCapabilitiesOptions
  readonly #findings = new Map<PeerId, Finding>()

  constructor(options: ServerCapabilitiesOptions) {
    this.#options = options
  }

  /** Reports whether the server obeys `start_from_position`; false if that can't be found out. */
  async canRewind(span: Span, { signal }: AbortOptions = {}): Promise<boolean> {
    if (isTooOld(span.server.version)) return false
    const known = this.#findings.get(span.peer)
    if (known && performance.now() - known.foundAt < lifetimeMs) return await known.canRewind
    const canRewind = this.#probe(span, signal).catch(() => {
      this.#findings.delete(span.peer)
      return false
    })
    this.#findings.set(span.peer, { canRewind, foundAt: performance.now() })
    return await canRewind
  }

  /** Forgets what was found: the server may have been started again. */
  forget(peer: PeerId): void {
    this.#findings.delete(peer)
  }

  /** Runs a token twice from position 0 in a session of one token: a server that can't rewind refuses the second. */
  async #probe(span: Span, signal: AbortSignal | undefined): Promise<boolean> {
    const { rpc, dhtPrefix, hiddenSize } = this.#options
    const timeout = AbortSignal.timeout(probeTimeoutMs)
    const limits = { signal: signal ? AbortSignal.any([signal, timeout]) : timeout }
    const receive = { ...limits, maxBytes: maxResponseBytes(1, hiddenSize) }
    const uid = rangeUid(dhtPrefix, { start: span.start, end: span.start + 1 })
    const inputs = {
      dtype: 'float32',
      shape: [1, 1, hiddenSize],
      data: new Uint8Array(hiddenSize * 4).fill(1),
    } as const
    await using stream = await rpc.openStream(span.peer, inferenceMethod, limits)
    await stream.send(openingRequest({ uid, sessionId: crypto.randomUUID(), maxLength: 1, inputs }), limits)
    await stream.receive(receive)
    await stream.send(stepRequest({ inputs, startFromPosition: 0 }), limits)
    try {
      await stream.receive(receive)
      return true
    } catch (error) {
      if (error instanceof RpcError && error.remoteMessage.startsWith('Maximum length exceeded')) return false
      throw error
    }
  }
}

function isTooOld(version: string | undefined): boolean {
  const parts = /^(\d+)\.(\d+)/.exec(version ?? '')
  if (!parts) return false
  const [major, minor] = [Number(parts[1]), Number(parts[2])]
  return (
    major < firstVersionInDoubt[0]! || (major === firstVersionInDoubt[0] && minor < firstVersionInDoubt[1]!)
  )
}
