import { abortable, commonPrefixLength, greedy, type Session, type TokenId } from '@petals-chat/engine'
import type { DraftModel } from './draft-model.ts'
import type { DraftOptions } from '@petals-chat/engine/drafting'

/** So many tokens that the model has not read yet are read with the next drafts; more are read in the background. */
const readAtOnce = 8

/** A token that is only read costs about this share of one that is drafted. */
const shareOfReading = 1 / 8

/** Drafts may take this many times as long as expected. Then the answer goes on without. */
const patience = 4

/** After a failure, the model rests for this many tokens; after each further one, for twice as many. */
const restTokens = 32

class LateError extends Error {
  override readonly name = 'LateError'
}

/**
 * The text of one answer as a draft model continues it. The cache of its session follows the text: drafts that were wrong are
 * taken back, tokens that came otherwise are read before the next drafts. Whatever happens to the model, nothing fails here
 * and little time is lost: the answer goes on without drafts.
 */
export class DraftedText {
  readonly #model: DraftModel
  readonly #text: TokenId[]
  readonly #ended = new AbortController()
  #session: Session | undefined
  /** The first tokens of the session's cache that are those of the text. */
  #agreed = 0
  /** What uses the session in the background. */
  #work: Promise<void> | undefined
  #failures = 0
  /** The model rests until the text has this many tokens. */
  #restsUntil = 0

  constructor(model: DraftModel, prompt: readonly TokenId[]) {
    this.#model = model
    this.#text = [...prompt]
  }

  /** Drafts are possible, perhaps after `prepare`. */
  get isUsable(): boolean {
    const { length } = this.#text
    return length > 0 && length >= this.#restsUntil && length < this.#model.contextLength
  }

  /** Drafts are possible at once. */
  get isReady(): boolean {
    return this.isUsable && this.#session !== undefined && !this.#work && this.#unread <= readAtOnce
  }

  /** Resolves when nothing runs in the background. */
  get settled(): Promise<void> {
    return this.#work ?? Promise.resolve()
  }

  /** Expected milliseconds for so many drafts. */
  cost(count: number): number {
    return this.#model.tokenMs * this.#effort(count)
  }

  push(token: TokenId): void {
    const { length } = this.#text
    if (this.#agreed === length && this.#session?.tokens[length] === token) this.#agreed += 1
    this.#text.push(token)
  }

  /** Reads the text in the background. */
  prepare(): void {
    if (this.#work || !this.isUsable || this.isReady) return
    this.#runInBackground(this.#catchUp())
  }

  /** Returns the model's own continuation, at most `count` tokens; fewer if it takes too long. */
  async draft(count: number, { signal, limitMs }: DraftOptions): Promise<readonly TokenId[]> {
    const room = this.#model.contextLength - this.#text.length
    const wanted = Math.min(count, room)
    if (!this.isReady || wanted < 1) return []
    const drafts: TokenId[] = []
    const effort = this.#effort(wanted)
    const late = new AbortController()
    const usualMs = Math.min(limitMs, patience * this.cost(wanted))
    const timer = setTimeout(
      () => late.abort(new LateError('The draft model is late.')),
      Math.max(this.#model.leastPatienceMs, usualMs),
    )
    const leave = (): void => late.abort(signal?.reason)
    signal?.addEventListener('abort', leave, { once: true })
    const started = performance.now()
    const running = this.#continue(wanted, drafts, late.signal)
    try {
      await abortable(running, late.signal)
      this.#model.noteTime(effort, performance.now() - started)
    } catch (error) {
      if (error instanceof LateError) this.#model.noteTime(effort, performance.now() - started)
      if (late.signal.aborted) this.#runInBackground(this.#recover(running))
      else this.#fail(error)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', leave)
    }
    return [...drafts]
  }

  /** Ends the answer: its session serves others as soon as nothing uses it. */
  end(): void {
    this.#ended.abort()
    void this.settled.then(() => {
      if (this.#session) this.#model.giveBack(this.#session)
      this.#session = undefined
    })
  }

  get #unread(): number {
    return this.#text.length - this.#agreed
  }

  /** The work of so many drafts, in tokens. The last token of the text is read with the first draft. */
  #effort(count: number): number {
    return count + Math.max(0, this.#unread - 1) * shareOfReading
  }

  #runInBackground(work: Promise<void>): void {
    const settled = work
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        if (this.#work === settled) this.#work = undefined
      })
    this.#work = settled
  }

  /** Reads the text, and what is added to it meanwhile. */
  async #catchUp(): Promise<void> {
    this.#session ??= await this.#take()
    while (this.#session && !this.#ended.signal.aborted && this.isUsable && this.#unread > readAtOnce)
      await this.#read()
  }

  /** After drafts that were late: the model is asked again when it has given a token, however long that takes. */
  async #recover(running: Promise<void>): Promise<void> {
    await running.catch(() => {}) // it was aborted
    if (!this.#ended.signal.aborted) await this.#continue(1, [], this.#ended.signal)
    await this.#catchUp()
  }

  async #take(): Promise<Session | undefined> {
    const session = await this.#model.take(this.#text)
    if (session === undefined) this.#restsUntil = this.#text.length + restTokens
    this.#agreed = session ? commonPrefixLength(session.tokens, this.#text) : 0
    return session
  }

  /** Reads the text but for its last token, which drafts begin with. */
  async #read(): Promise<void> {
    const last = this.#text.length - 1
    const session = await this.#cutTo(Math.min(this.#agreed, last - 1))
    const unread = this.#text.slice(this.#agreed, last)
    const { signal } = this.#ended
    for await (const _ of session.generate(unread, { sampling: greedy, maxNewTokens: 1, signal }))
      this.#agreed = last
  }

  /** Drops all but the first tokens from the session's cache. */
  async #cutTo(length: number): Promise<Session> {
    const session = this.#session!
    this.#agreed = length
    if (session.tokens.length > length) await session.truncate(length)
    return session
  }

  /** Brings the session to the end of the text, and adds at most `count` tokens that follow to `drafts`. */
  async #continue(count: number, drafts: TokenId[], signal: AbortSignal): Promise<void> {
    const { length } = this.#text
    // The last token runs again if need be, since what follows it is asked for.
    const kept = Math.min(this.#agreed, length - 1)
    const unread = this.#text.slice(kept)
    const session = await this.#cutTo(kept)
    for await (const { token } of session.generate(unread, {
      sampling: greedy,
      maxNewTokens: count,
      signal,
    })) {
      this.#agreed = Math.max(this.#agreed, length)
      if (!this.#model.isKnown(token)) break
      drafts.push(token)
      if (this.#model.isEnd(token)) break
    }
  }

  /** Its session is not used again. The model has another chance later. */
  #fail(error: unknown): void {
    if (this.#ended.signal.aborted) return // it was told to stop
    const session = this.#session
    this.#session = undefined
    this.#agreed = 0
    this.#restsUntil = this.#text.length + restTokens * 2 ** this.#failures++
    this.#model.logger.warn({ err: error }, 'The draft model failed. The answer goes on without its guesses.')
    // Nothing waits for it: a model that hangs takes its time.
    void Promise.resolve(session?.[Symbol.asyncDispose]()).catch(() => {})
  }
}
