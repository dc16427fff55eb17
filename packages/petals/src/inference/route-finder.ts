import { ContextLengthError, MissingBlocksError } from '@petals-chat/engine'
import { blocksOf, formatBlocks, type BlockRange } from '../blocks/block-range.ts'
import type { ServerInfo } from '../blocks/server-info.ts'
import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { SwarmError } from '../errors.ts'
import { silentBlocksError } from '../routing/missing-blocks.ts'
import type { InferenceContext } from './inference-context.ts'
import { Patience, type PatienceOptions } from './patience.ts'
import type { Recovery } from './recovery.ts'
import type { SessionOpener } from './session-opener.ts'

export interface FinderOptions extends PatienceOptions {
  /** Closes sessions that no request uses; resolves with false if there are none: `SessionOptions.makeRoom` of the engine. */
  readonly makeRoom?: (() => Promise<boolean>) | undefined
}

/** Finds servers for one step of a session. Where there are none it waits for them, and reports for which blocks. */
export class RouteFinder {
  readonly #context: InferenceContext
  readonly #opener: SessionOpener
  readonly #recovery: Recovery
  readonly #patience: Patience
  readonly #makeRoom: FinderOptions['makeRoom']

  constructor(
    context: InferenceContext,
    opener: SessionOpener,
    recovery: Recovery,
    { makeRoom, ...patience }: FinderOptions,
  ) {
    this.#context = context
    this.#opener = opener
    this.#recovery = recovery
    this.#patience = new Patience(patience)
    this.#makeRoom = makeRoom
  }

  /** Reports that the session waits no longer. */
  endWait(): void {
    this.#patience.end()
  }

  /**
   * Returns servers for the blocks: healthy ones, or else, after a pause, those that have failed in this step.
   * @param like the server that is to be replaced
   */
  async find(
    blocks: BlockRange,
    like: ServerInfo | undefined,
    signal: AbortSignal,
  ): Promise<readonly Span[]> {
    const { limits } = this.#context
    while (true) {
      const spans = await this.#route(blocks, like, signal)
      const again = spans?.filter(({ peer }) => this.#recovery.failed.has(peer)) ?? []
      const tooShort = spans?.find(({ peer }) => this.#opener.isTooLongFor(peer))
      if (tooShort) throw new ContextLengthError(this.#opener.needed, limits.sessionTokens(tooShort.peer))
      if (again.length > 0 && !(await this.#madeRoom(again))) await this.#pause(again, signal)
      // What follows, for example a long prompt, is work and not waiting.
      else if (spans) this.endWait()
      if (spans) return spans
    }
  }

  /** Servers that have failed in this step, and those that are known to refuse a session of this length: the last to ask. */
  #demerits(needed: number): ReadonlyMap<PeerId, number> {
    const tooShort = this.#context.limits.shorterThan(needed)
    return new Map([...this.#recovery.failed, ...tooShort.map((peer) => [peer, Infinity] as const)])
  }

  /** Returns undefined, after a pause, if there is no route. */
  async #route(
    blocks: BlockRange,
    like: ServerInfo | undefined,
    signal: AbortSignal,
  ): Promise<readonly Span[] | undefined> {
    const { policy, provenOnly } = this.#recovery
    const { needed, leastLength: cacheTokens } = this.#opener
    const options = { signal, cacheTokens, policy, like, avoid: this.#demerits(needed), provenOnly }
    try {
      return await this.#context.router.route(blocks, options)
    } catch (error) {
      signal.throwIfAborted()
      await this.#waitForServers(blocks, error, signal)
      return undefined
    }
  }

  /**
   * If only servers without room are left to ask, closes sessions of this client that wait for a next turn. They keep their KV
   * caches on the servers for minutes, and small swarms have room for a few dozen.
   */
  async #madeRoom(again: readonly Span[]): Promise<boolean> {
    if (!this.#recovery.lacksRoom || !(await this.#makeRoom?.())) return false
    for (const { peer } of again) this.#opener.expectBusy(peer)
    this.#context.logger.info({ blocks: formatBlocks(again.flatMap(blocksOf)) }, 'idle sessions made room')
    return true
  }

  /** Pauses before servers that have failed in this step are tried again. @throws MissingBlocksError if that took too long */
  async #pause(again: readonly Span[], signal: AbortSignal): Promise<void> {
    const { startedAt, cause } = this.#recovery
    const blocks = again.flatMap(blocksOf)
    const pauseMs = this.#recovery.pauseMs(again.map(({ peer }) => peer))
    const { dhtPrefix, blocks: all } = this.#context
    // However alive they are for others: a server that hangs with every step answers pings, too.
    const untilMs = startedAt + this.#patience.waitTimeoutMs
    const now = performance.now()
    if (now >= untilMs)
      throw silentBlocksError(blocks, { dhtPrefix, numBlocks: all.end }, now - startedAt, cause)
    this.#patience.report(blocks, startedAt, untilMs)
    await this.#patience.pause(pauseMs, signal)
  }

  /**
   * Pauses while no server is known for some blocks, or no peer can be asked for them.
   * @throws `error` if none was alive for too long
   */
  async #waitForServers(blocks: BlockRange, error: unknown, signal: AbortSignal): Promise<void> {
    const isMissing = error instanceof MissingBlocksError
    if (!(isMissing || error instanceof SwarmError)) throw error
    const missing = isMissing ? error.blocks : blocksOf(blocks)
    const { startedAt } = this.#recovery
    const aliveAt = this.#context.router.aliveAt(missing)
    const untilMs = (aliveAt ?? -Infinity) + this.#patience.waitTimeoutMs
    if (performance.now() >= untilMs) throw error
    this.#patience.report(missing, startedAt, untilMs)
    await this.#patience.pause(this.#recovery.pauseMs([]), signal)
  }
}
