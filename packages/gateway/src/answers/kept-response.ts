import { MessageLog, type NumberedMessage } from './message-log.ts'
import type { Owner } from './owner.ts'

/** The pattern of ids, which the log must not contain: without keys, an id is the capability to read the response. */
export const RESPONSE_ID = /resp_[0-9a-f]{32}/

/** An item of an input or an output. */
export interface KeptItem {
  readonly id: string
}

export interface KeptResponseOptions {
  readonly id: string
  readonly owner: Owner
  /** The response that this one continues. */
  readonly previous?: KeptResponse | undefined
  /** Its own input. */
  readonly input: readonly KeptItem[]
  /** Its body before the first word. */
  readonly body: object
  /** It is written without a reader: only its id leads to it. */
  readonly isBackground?: boolean | undefined
  /** Stops the model. */
  readonly stop: (reason: Error) => void
  /** It has ended. */
  readonly onChange: (response: KeptResponse) => void
  /** It takes more bytes. */
  readonly onGrow?: (() => void) | undefined
}

/** A response with the input that it answers. It is kept as JSON, whose bytes are what it takes. */
export class KeptResponse {
  readonly id: string
  readonly owner: Owner
  readonly isBackground: boolean
  readonly #previous: KeptResponse | undefined
  readonly #onChange: KeptResponseOptions['onChange']
  readonly #onGrow: KeptResponseOptions['onGrow']
  /** The events of one in the background, from the first: sequence numbers count from 0, messages from 1. */
  readonly #events = new MessageLog()
  readonly #ended = Promise.withResolvers<void>()
  readonly #input: string
  readonly #inputIds: readonly string[]
  #outputIds: readonly string[] = []
  #body: string
  /** Bytes of input and body: read with each event. */
  #ownBytes: number
  /** Undefined once it has ended: what stops the model holds the whole request. */
  #stop: KeptResponseOptions['stop'] | undefined
  /** Those that need its items: the store while it is listed there, and the responses that continue it. */
  #holders = 1

  constructor(options: KeptResponseOptions) {
    const { id, owner, previous, input, body, isBackground, stop, onChange, onGrow } = options
    this.id = id
    this.owner = { id: owner.id }
    this.isBackground = isBackground ?? false
    this.#previous = previous
    this.#input = JSON.stringify(input)
    this.#inputIds = input.map((item) => item.id)
    this.#body = JSON.stringify(body)
    this.#ownBytes = this.#countOwn()
    this.#stop = stop
    this.#onChange = onChange
    this.#onGrow = onGrow
    if (previous !== undefined) previous.#holders += 1
  }

  get isRunning(): boolean {
    return this.#stop !== undefined
  }

  /** The JSON of its present body. */
  get body(): string {
    return this.#body
  }

  get bytes(): number {
    return this.#ownBytes + this.#events.bytes
  }

  /** The bytes of events that `dropEvents` can free. */
  get spareBytes(): number {
    return this.#events.spareBytes
  }

  /** Adds an event of one in the background. */
  write(event: string): void {
    this.#events.append(event)
    this.#onGrow?.()
  }

  /** Forgets events, the oldest first, until `bytes` are free; never the newest, for which readers may wait. */
  dropEvents(bytes: number): void {
    this.#events.dropOldest(bytes)
  }

  /**
   * Yields the events after the one with the number `after` (-1: from the first), then new ones as they come, until its end.
   * @throws AnswerGoneError if one of them is no longer kept; the signal's reason
   */
  events(after: number, signal: AbortSignal): AsyncGenerator<NumberedMessage, void, undefined> {
    return this.#events.read(after + 1, signal)
  }

  /** The ids of its own items. */
  get itemIds(): readonly string[] {
    return [...this.#inputIds, ...this.#outputIds]
  }

  /** The bytes of the whole dialogue up to its end. */
  get dialogueBytes(): number {
    return KeptResponse.#backFrom(this).reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Marks it as ended, with its last body. A later call replaces the body. */
  end(body: { readonly output: readonly KeptItem[] }): void {
    this.#body = JSON.stringify(body)
    this.#ownBytes = this.#countOwn()
    this.#outputIds = body.output.map(({ id }) => id)
    this.#stop = undefined
    this.#events.end()
    this.#onChange(this)
    this.#ended.resolve()
  }

  /** Resolves when it has ended. */
  async stop(reason: Error): Promise<void> {
    if (this.#stop === undefined) return
    this.#stop(reason)
    await this.#ended.promise
  }

  /** Its own input, then its output. */
  ownItems(): readonly KeptItem[] {
    const { output } = JSON.parse(this.#body) as { readonly output: readonly KeptItem[] }
    return [...this.#ownInput(), ...output]
  }

  /** All items that it answers, oldest first: those of the responses before it, and its own. */
  inputItems(): readonly KeptItem[] {
    return [...(this.#previous?.allItems() ?? []), ...this.#ownInput()]
  }

  /** `inputItems`, then its output. */
  allItems(): readonly KeptItem[] {
    const chain = [...KeptResponse.#backFrom(this)].toReversed()
    return chain.flatMap((response) => response.ownItems())
  }

  /** One holder less. Returns the responses that none needs any more. */
  release(): readonly KeptResponse[] {
    const freed: KeptResponse[] = []
    for (const response of KeptResponse.#backFrom(this)) {
      if (--response.#holders > 0) break
      freed.push(response)
    }
    return freed
  }

  #countOwn(): number {
    return Buffer.byteLength(this.#input) + Buffer.byteLength(this.#body)
  }

  #ownInput(): readonly KeptItem[] {
    return JSON.parse(this.#input) as KeptItem[]
  }

  /** The responses from `last` to the first of the dialogue. */
  static *#backFrom(last: KeptResponse): Generator<KeptResponse> {
    for (let each: KeptResponse | undefined = last; each !== undefined; each = each.#previous) yield each
  }
}
