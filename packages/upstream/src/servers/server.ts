/** What a server says of one of its models. */
export interface Offer {
  readonly name: string
  readonly contextLength: number | undefined
}

/** One address of an entry, with what is known of it. */
export class UpstreamServer {
  /** Without a `/` at its end. */
  readonly baseUrl: string
  /** Host and port, as messages show them. */
  readonly name: string
  /** Where it counts tokens; undefined before that is known, null if it does not. */
  tokenizeUrl: string | null | undefined
  /** Its models; undefined before it has listed them, or if it lists none. */
  offers: ReadonlyMap<string, Offer> | undefined
  /** Why it can't answer; undefined if it can, or if nothing is known yet. */
  problem: string | undefined
  /** What is wrong with its list of models, as the rest of a sentence about it; it may answer nevertheless. */
  listProblem: string | undefined
  /** It has written an answer: its address is right, with or without a list. */
  hasAnswered = false
  #running = 0
  /** Grows with each choice of any server. */
  lastChosen = 0

  constructor(baseUrl: string) {
    this.baseUrl = baseUrl
    this.name = new URL(baseUrl).host
  }

  /** Answers that it writes for this gateway. */
  get running(): number {
    return this.#running
  }

  /** Counts an answer until the result is disposed. */
  use(): Disposable {
    this.#running += 1
    return { [Symbol.dispose]: () => void (this.#running -= 1) }
  }
}
