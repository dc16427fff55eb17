import type { GatewayConfig } from '../config.ts'
import { GatewayError, RateLimitError } from '../errors.ts'
import { KeptResponse, type KeptResponseOptions } from './kept-response.ts'
import { belongsTo, type Owner } from './owner.ts'

interface Entry {
  readonly response: KeptResponse
  expiry?: NodeJS.Timeout
}

interface Held {
  /** Responses that are listed. */
  count: number
  /** The bytes of those that are listed, and of those that a listed one continues. */
  bytes: number
}

const RETRY_AFTER_MS = 5_000

/** The responses of `/v1/responses`, by their ids: bounded in number, bytes and time. */
export class ResponseStore implements Disposable {
  readonly #config: GatewayConfig['responses']
  /** In the order of their start. */
  readonly #entries = new Map<string, Entry>()
  /** The bytes of each response that is listed, or that a listed one continues. */
  readonly #sizes = new Map<KeptResponse, number>()
  /** By the owner and the id of an item. */
  readonly #byItem = new Map<string, KeptResponse>()
  /** Items that were used, by the owner and the id: the id of the response that did it. */
  readonly #used = new Map<string, string>()
  /** What each owner keeps, by its id. */
  readonly #held = new Map<string, Held>()
  #bytes = 0

  constructor(config: GatewayConfig['responses']) {
    this.#config = config
  }

  /**
   * Keeps a new response; undefined if the server keeps none. One in the background stops none of its owner.
   * @throws RateLimitError if there is no room for one in the background.
   */
  open(options: Omit<KeptResponseOptions, 'onChange' | 'onGrow'>): KeptResponse | undefined {
    if (this.#config.maxKept === 0) return undefined
    const response: KeptResponse = new KeptResponse({
      ...options,
      onChange: () => this.#update(entry),
      onGrow: () => this.#grown(entry),
    })
    const entry: Entry = { response }
    this.#entries.set(response.id, entry)
    this.#heldBy(response.owner).count += 1
    this.#count(response)
    this.#makeRoom()
    if (response.isBackground && !this.#entries.has(response.id)) throw noRoom()
    return response
  }

  /** @throws GatewayError `response_not_found`. A response of another owner is as unknown as none. */
  find(id: string, owner: Owner): KeptResponse {
    const response = this.#entries.get(id)?.response
    if (response !== undefined && belongsTo(response, owner)) return response
    throw new GatewayError(
      'response_not_found',
      `This server keeps no response '${id.slice(0, 100)}': it was deleted, its time was over (server.responses), the ` +
        'server was started again, or it was made with store: false. Send the whole dialogue as input.',
    )
  }

  /** The response of the owner that has an item, in its input or its output. */
  findByItem(itemId: string, owner: Owner): KeptResponse | undefined {
    return this.#byItem.get(itemKey(owner, itemId))
  }

  /**
   * Marks an item of the owner as used by the response with the id `by`, for as long as a kept response has the item.
   * Returns whether it was unused. What is not kept is always unused.
   */
  use(itemId: string, owner: Owner, by: string): boolean {
    const key = itemKey(owner, itemId)
    if (this.#used.has(key)) return false
    if (this.#keeps(itemId, owner)) this.#used.set(key, by)
    return true
  }

  /** Marks an item as unused again: what it was used for has not begun. */
  giveBack(itemId: string, owner: Owner): void {
    this.#used.delete(itemKey(owner, itemId))
  }

  /** What used an item of the owner: `response` is undefined if it is no longer kept, the result if the item is unused. */
  usedBy(itemId: string, owner: Owner): { readonly response: KeptResponse | undefined } | undefined {
    const by = this.#used.get(itemKey(owner, itemId))
    return by === undefined ? undefined : { response: this.#entries.get(by)?.response }
  }

  /** Makes a response unreachable by its id. Responses that continue it still have its items. */
  remove({ id }: Pick<KeptResponse, 'id'>): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    clearTimeout(entry.expiry)
    this.#entries.delete(id)
    this.#heldBy(entry.response.owner).count -= 1
    const { owner, itemIds } = entry.response
    // No id leads to its events.
    entry.response.dropEvents(Infinity)
    for (const itemId of itemIds) {
      const key = itemKey(owner, itemId)
      if (this.#byItem.get(key) === entry.response) this.#byItem.delete(key)
    }
    for (const freed of entry.response.release()) {
      this.#setSize(freed, 0)
      this.#sizes.delete(freed)
      this.#forgetUse(freed)
    }
    if (this.#heldBy(owner).count === 0) this.#held.delete(owner.id)
  }

  #forgetUse({ itemIds, owner }: KeptResponse): void {
    if (this.#used.size === 0) return
    for (const itemId of itemIds) {
      const key = itemKey(owner, itemId)
      if (this.#used.has(key) && !this.#keeps(itemId, owner)) this.#used.delete(key)
    }
  }

  #keeps(itemId: string, owner: Owner): boolean {
    return this.#sizes
      .keys()
      .some((response) => belongsTo(response, owner) && response.itemIds.includes(itemId))
  }

  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    return this.#entries.size
  }

  [Symbol.dispose](): void {
    for (const { response } of this.#entries.values()) this.remove(response)
  }

  /** A response has ended. */
  #update(entry: Entry): void {
    const { response } = entry
    if (this.#entries.get(response.id) !== entry) return
    this.#count(response)
    for (const itemId of response.itemIds) this.#byItem.set(itemKey(response.owner, itemId), response)
    clearTimeout(entry.expiry)
    entry.expiry = setTimeout(() => this.remove(response), this.#config.keepMs)
    entry.expiry.unref()
    this.#makeRoom()
  }

  /** A response has written an event. */
  #grown(entry: Entry): void {
    const { response } = entry
    if (this.#entries.get(response.id) !== entry) return response.dropEvents(Infinity)
    this.#count(response)
    this.#makeRoom()
  }

  #count(response: KeptResponse): void {
    this.#setSize(response, response.bytes)
  }

  #setSize(response: KeptResponse, bytes: number): void {
    const change = bytes - (this.#sizes.get(response) ?? 0)
    this.#sizes.set(response, bytes)
    this.#heldBy(response.owner).bytes += change
    this.#bytes += change
  }

  #heldBy({ id }: Owner): Held {
    let held = this.#held.get(id)
    if (held === undefined) this.#held.set(id, (held = { count: 0, bytes: 0 }))
    return held
  }

  #makeRoom(): void {
    const { maxKept, maxKeptBytes } = this.#config
    if (this.#bytes > maxKeptBytes) this.#dropEvents()
    while (this.#entries.size > maxKept || (this.#bytes > maxKeptBytes && this.#entries.size > 0)) {
      const dropped = this.#leastNeeded()
      this.remove(dropped)
      // What no id leads to is never read.
      if (dropped.isBackground) void dropped.stop(noRoom())
    }
  }

  /** Events go before responses: those of the owner that keeps the most first, of its ended responses, then of the oldest. */
  #dropEvents(): void {
    const all = [...this.#entries.values()].map(({ response }) => response)
    while (this.#bytes > this.#config.maxKeptBytes) {
      const spare = all.filter(({ spareBytes }) => spareBytes > 0)
      if (spare.length === 0) return
      const greatest = this.#greatestOwner()
      const own = spare.filter(({ owner }) => owner.id === greatest)
      const from = own.length > 0 ? own : spare
      const chosen = from.find(({ isRunning }) => !isRunning) ?? from[0]!
      // A half more than what is needed, so that the next event needs no search.
      chosen.dropEvents(Math.max(this.#bytes - this.#config.maxKeptBytes, chosen.spareBytes / 2))
      this.#count(chosen)
    }
  }

  /**
   * Of the owner that keeps the most, so that no caller pushes out what others keep: the oldest that has ended, else the oldest
   * with a reader, else the newest.
   */
  #leastNeeded(): KeptResponse {
    const greatest = this.#greatestOwner()
    const own = [...this.#entries.values()].flatMap(({ response }) =>
      response.owner.id === greatest ? [response] : [],
    )
    return own.find(({ isRunning }) => !isRunning) ?? own.find((each) => !each.isBackground) ?? own.at(-1)!
  }

  #greatestOwner(): string {
    const unit = this.#entries.size > this.#config.maxKept ? 'count' : 'bytes'
    const all = [...this.#held]
    return all.reduce((left, right) => (right[1][unit] > left[1][unit] ? right : left))[0]
  }
}

const noRoom = (): RateLimitError =>
  new RateLimitError(
    'This server has no room to keep another response that is written in the background (server.responses): others are ' +
      'still being written. Wait for the end of one, cancel one, or send the request without background.',
    RETRY_AFTER_MS,
  )

const itemKey = ({ id }: Owner, itemId: string): string => `${id}\n${itemId}`
