import type { GatewayConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { KeptResponse, type KeptResponseOptions } from './kept-response.ts'
import { belongsTo, type Owner } from './owner.ts'

interface Entry {
  readonly response: KeptResponse
  expiry?: NodeJS.Timeout
}

/** The responses of `/v1/responses`, by their ids: bounded in number, bytes and time. */
export class ResponseStore implements Disposable {
  readonly #config: GatewayConfig['responses']
  /** In the order of their start. */
  readonly #entries = new Map<string, Entry>()
  /** The bytes of each response that is listed, or that a listed one continues. */
  readonly #sizes = new Map<KeptResponse, number>()
  /** By the owner and the id of an item. */
  readonly #byItem = new Map<string, KeptResponse>()
  #bytes = 0

  constructor(config: GatewayConfig['responses']) {
    this.#config = config
  }

  /** Keeps a new response; undefined if the server keeps none. */
  open(options: Omit<KeptResponseOptions, 'onChange'>): KeptResponse | undefined {
    if (this.#config.maxKept === 0) return undefined
    const response = new KeptResponse({ ...options, onChange: () => this.#update(entry) })
    const entry: Entry = { response }
    this.#entries.set(response.id, entry)
    this.#count(response)
    this.#makeRoom()
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

  /** Makes a response unreachable by its id. Responses that continue it still have its items. */
  remove({ id }: Pick<KeptResponse, 'id'>): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    clearTimeout(entry.expiry)
    this.#entries.delete(id)
    const { owner, itemIds } = entry.response
    for (const itemId of itemIds) {
      const key = itemKey(owner, itemId)
      if (this.#byItem.get(key) === entry.response) this.#byItem.delete(key)
    }
    for (const freed of entry.response.release()) {
      this.#bytes -= this.#sizes.get(freed) ?? 0
      this.#sizes.delete(freed)
    }
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

  #count(response: KeptResponse): void {
    const { bytes } = response
    this.#bytes += bytes - (this.#sizes.get(response) ?? 0)
    this.#sizes.set(response, bytes)
  }

  #makeRoom(): void {
    const { maxKept, maxKeptBytes } = this.#config
    while (this.#entries.size > maxKept || (this.#bytes > maxKeptBytes && this.#entries.size > 0))
      this.remove(this.#oldestOfGreatest())
  }

  /** The oldest response of the owner that keeps the most: no caller can push out what others keep. */
  #oldestOfGreatest(): KeptResponse {
    const all = [...this.#entries.values()].map(({ response }) => response)
    const byOwner = [...Map.groupBy(all, ({ owner }) => owner.id).values()]
    const sum = (responses: readonly KeptResponse[]) =>
      this.#entries.size > this.#config.maxKept
        ? responses.length
        : responses.reduce((total, response) => total + (this.#sizes.get(response) ?? 0), 0)
    const greatest = byOwner.reduce((left, right) => (sum(right) > sum(left) ? right : left))
    return greatest.find(({ isRunning }) => !isRunning) ?? greatest[0]!
  }
}

const itemKey = ({ id }: Owner, itemId: string): string => `${id}\n${itemId}`
