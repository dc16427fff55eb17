import type { InputItem, ResponseRequest } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'
import type { KeptResponse } from '../../answers/kept-response.ts'
import type { ResponseStore } from '../../answers/response-store.ts'
import type { Owner } from '../../answers/owner.ts'
import { GatewayError } from '../../errors.ts'
import { type WholeItem, wholeItem } from './whole-item.ts'

/** What a response answers. */
export interface ResponseInput {
  readonly previous: KeptResponse | undefined
  /** The items of the request itself. */
  readonly own: readonly WholeItem[]
  /** All items, oldest first. */
  readonly all: readonly WholeItem[]
}

export interface InputSources {
  readonly store: ResponseStore
  readonly owner: Owner
  /** The bytes of kept items that one request may bring in: as many as of a body that has them all. */
  readonly maxBytes: number
}

const MAX_ITEMS = 10_000

/** @throws InvalidRequestError if the request names a response or an item that is not kept for its caller, or too much of it. */
export function readInput(request: ResponseRequest, sources: InputSources): ResponseInput {
  const previous = previousOf(request.previous_response_id, sources)
  const { input } = request
  const items: readonly InputItem[] =
    typeof input === 'string'
      ? [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: input }] }]
      : input
  const before = (previous?.allItems() ?? []) as readonly WholeItem[]
  if (before.length + items.length > MAX_ITEMS) throw tooLong(`more than ${MAX_ITEMS} items`)
  const references = new References(sources)
  const own = withNewIds(
    items,
    items.map((item, index) =>
      item.type === 'item_reference' ? references.find(item.id, index) : wholeItem(item),
    ),
  )
  return { previous, own, all: [...before, ...own] }
}

/** What refers to an approval request by the id that the client has sent refers to it by the new one. */
function withNewIds(sent: readonly InputItem[], own: readonly WholeItem[]): readonly WholeItem[] {
  const ids = new Map(
    sent.flatMap((item, index) =>
      item.type === 'mcp_approval_request' && item.id ? [[item.id, own[index]!.id] as const] : [],
    ),
  )
  if (ids.size === 0) return own
  return own.map((item) => {
    if (item.type !== 'mcp_approval_response' && item.type !== 'mcp_call') return item
    const request = item.approval_request_id
    return request == null ? item : { ...item, approval_request_id: ids.get(request) ?? request }
  })
}

function previousOf(id: string | null | undefined, { store, owner, maxBytes }: InputSources) {
  if (id == null) return undefined
  const response = keptAs(id, store, owner)
  if (response.isRunning) {
    throw new InvalidRequestError(`The response '${response.id}' is still being written. Wait for its end.`, {
      param: 'previous_response_id',
      reason: 'invalid_value',
    })
  }
  if (response.dialogueBytes > maxBytes) throw tooLong(`more than ${maxBytes} bytes (server.maxBodyBytes)`)
  return response
}

const tooLong = (size: string): InvalidRequestError =>
  new InvalidRequestError(
    `Invalid 'previous_response_id': the dialogue has ${size}. Begin a new one with the part that counts as input.`,
    { param: 'previous_response_id', reason: 'invalid_value' },
  )

function keptAs(id: string, store: ResponseStore, owner: Owner): KeptResponse {
  try {
    return store.find(id, owner)
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    throw new InvalidRequestError(error.message, {
      param: 'previous_response_id',
      reason: 'previous_response_not_found',
    })
  }
}

interface Referred {
  readonly item: WholeItem
  readonly bytes: number
}

/** Finds the items that a request refers to. Each response is read once; an item counts as often as the request names it. */
class References {
  readonly #sources: InputSources
  readonly #read = new Map<KeptResponse, ReadonlyMap<string, Referred>>()
  #bytesRead = 0
  #bytes = 0

  constructor(sources: InputSources) {
    this.#sources = sources
  }

  /** `index`: of the reference in the input. */
  find(id: string, index: number): WholeItem {
    const { store, owner, maxBytes } = this.#sources
    const param = `input[${index}].id`
    const response = store.findByItem(id, owner)
    const referred = response && this.#itemsOf(response, param).get(id)
    if (referred === undefined)
      throw new InvalidRequestError(
        `Item with id '${id}' not found: no kept response of this caller has it. Send the item itself.`,
        { param, reason: 'item_not_found' },
      )
    this.#bytes += referred.bytes
    if (this.#bytes > maxBytes)
      throw new InvalidRequestError(
        `Invalid '${param}': the items that the input refers to have more than ${maxBytes} bytes together (server.maxBodyBytes). Refer to fewer.`,
        { param, reason: 'invalid_value' },
      )
    return referred.item
  }

  #itemsOf(response: KeptResponse, param: string): ReadonlyMap<string, Referred> {
    const known = this.#read.get(response)
    if (known !== undefined) return known
    const { maxBytes } = this.#sources
    this.#bytesRead += response.bytes
    if (this.#bytesRead > maxBytes)
      throw new InvalidRequestError(
        `Invalid '${param}': the responses with these items have more than ${maxBytes} bytes (server.maxBodyBytes). Send the items themselves.`,
        { param, reason: 'invalid_value' },
      )
    const items = new Map(
      (response.ownItems() as readonly WholeItem[]).map((item) => [item.id, referredTo(item)]),
    )
    this.#read.set(response, items)
    return items
  }
}

function referredTo(kept: WholeItem): Referred {
  const item = wholeItem(kept, kept.id)
  return { item, bytes: Buffer.byteLength(JSON.stringify(item)) }
}
