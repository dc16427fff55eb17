import { abortable, type AbortOptions, type Logger } from '@petals-chat/engine'
import {
  blockUid,
  blocksOf,
  encodeServerInfo,
  registryKey,
  type BlockRange,
  type DhtNode,
  type MsgpackInput,
  type PeerId,
  type Publication,
  type ServerInfo,
  type ServerState,
} from '@petals-chat/petals/protocol'

/** A model as it is registered in the swarm. */
export interface AnnouncedModel {
  readonly dhtPrefix: string
  readonly numBlocks: number
  /** URL of its page on the Hub; undefined for a folder. */
  readonly repository?: string | undefined
}

export interface AnnouncerOptions {
  readonly dht: Pick<DhtNode, 'store' | 'now'>
  readonly peer: PeerId
  readonly model: AnnouncedModel
  /** Returns what is announced besides the state and the blocks. Called for every announcement. */
  readonly describe: () => Promise<Omit<ServerInfo, 'state' | 'blocks'>>
  readonly periodMs?: number | undefined
  readonly logger: Logger
}

/** Twice as often as `run_server` of Petals, so that what it tells of its cache is not older than a minute. */
const defaultPeriodMs = 60_000
/** An announcement outlives the next one, even if that comes late. */
const periodsValid = 2.5
const retryMs = 5000
/** An announcement that takes longer is given up: the next one follows soon. */
const timeoutMs = 20_000

/** Announces the server's blocks in the DHT, anew every period (`ModuleAnnouncerThread` of `petals/server/server.py`). */
export class Announcer implements AsyncDisposable {
  readonly #options: AnnouncerOptions
  readonly #periodMs: number
  readonly #closing = new AbortController()
  #latest = new AbortController()
  #current: { readonly state: ServerState; readonly blocks: BlockRange } | undefined
  #running: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(options: AnnouncerOptions) {
    this.#options = options
    this.#periodMs = options.periodMs ?? defaultPeriodMs
  }

  /**
   * Announces a state now, and then regularly; the state `offline` once. Resolves when the announcement was made or has failed,
   * which is logged, and tried again soon. An earlier announcement that is still under way is given up.
   */
  async announce(state: ServerState, blocks: BlockRange, options: AbortOptions = {}): Promise<void> {
    this.#current = state === 'offline' ? undefined : { state, blocks }
    clearTimeout(this.#timer)
    this.#latest.abort(new Error('A later announcement follows.'))
    const { signal: later } = (this.#latest = new AbortController())
    const given = options.signal ? [options.signal] : []
    const signal = AbortSignal.any([this.#closing.signal, later, AbortSignal.timeout(timeoutMs), ...given])
    this.#running = this.#running.then(() => this.#publish(state, blocks, { signal, later }))
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#current = undefined
    clearTimeout(this.#timer)
    this.#closing.abort(new Error('The server was closed.'))
    await this.#running
  }

  /** @param signals `later` is aborted when another announcement follows, `signal` then, too */
  async #publish(
    state: ServerState,
    blocks: BlockRange,
    { signal, later }: { readonly signal: AbortSignal; readonly later: AbortSignal },
  ): Promise<void> {
    const { dht, logger } = this.#options
    let delayMs = this.#periodMs
    try {
      const records = await abortable(this.#records(state, blocks), signal)
      const { failed, nodes } = await dht.store(records, { signal })
      if (failed.length > 0)
        throw new Error(`No node of the DHT has stored ${failed.slice(0, 3).join(', ')}.`)
      logger.debug({ state, ...blocks, nodes }, 'announced the blocks')
    } catch (error) {
      if (this.#closing.signal.aborted || later.aborted) return
      delayMs = Math.min(retryMs, this.#periodMs)
      logger.warn({ err: error, state }, 'could not announce the blocks; trying again soon')
    }
    this.#schedule(delayMs)
  }

  async #records(state: ServerState, blocks: BlockRange): Promise<readonly Publication[]> {
    const { dht, peer, model, describe } = this.#options
    const value = encodeServerInfo({ ...(await describe()), state, blocks })
    const expirationTime = dht.now() + (this.#periodMs * periodsValid) / 1000
    const records = blocksOf(blocks).map((block) => {
      return { key: blockUid(model.dhtPrefix, block), subkey: peer as string, value, expirationTime }
    })
    const isListed = state !== 'offline' && !model.dhtPrefix.startsWith('_')
    const entry = { key: registryKey, subkey: model.dhtPrefix, value: modelEntry(model), expirationTime }
    return isListed ? [...records, entry] : records
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer)
    if (!this.#current || this.#closing.signal.aborted) return
    this.#timer = setTimeout(() => {
      if (this.#current) void this.announce(this.#current.state, this.#current.blocks)
    }, delayMs)
    this.#timer.unref()
  }
}

const modelEntry = ({ numBlocks, repository }: AnnouncedModel): MsgpackInput =>
  new Map<string, MsgpackInput>([
    ['num_blocks', numBlocks],
    ['repository', repository ?? null],
  ])
