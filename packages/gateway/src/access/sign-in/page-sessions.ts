import { createHash, randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Logger } from '@petals-chat/engine'
import { AccessRevokedError } from '../../errors.ts'
import type { Caller } from '../caller.ts'
import type { PageSession, PageSessionStore } from './page-session-store.ts'

export interface PageSessionsOptions {
  readonly store: PageSessionStore
  readonly lifetimeMs: number
  /** Returns what the caller of a session may do now; undefined if it may do nothing any more. */
  readonly callerOf: (session: PageSession) => Caller | undefined
  readonly logger: Logger
}

/** A new session, with the token for its cookie. */
export interface StartedSession {
  readonly token: string
  readonly session: PageSession
}

interface SeenSession {
  readonly end: AbortController
  readonly expiresAt: number
  /** By the signal of the caller: one that aborts with it or with the session. One each, since these signals live for days. */
  readonly signals: WeakMap<AbortSignal, AbortSignal>
}

/** How often sessions in use are looked for: a sign-out at another gateway, or the end of their time, ends their requests. */
const CHECK_INTERVAL_MS = 500

/** 256 random bits, in base64url. */
const TOKEN = /^[\w-]{43}$/

/** The browsers that are signed in, each by a random token in its cookie. */
export class PageSessions implements Disposable {
  readonly #options: PageSessionsOptions
  /** Sessions that this process has seen, by the hash of their token. */
  readonly #seen = new Map<string, SeenSession>()
  #timer: NodeJS.Timeout | undefined
  #isFailing = false

  constructor(options: PageSessionsOptions) {
    this.#options = options
  }

  /** Signs a caller in. The token is nowhere else. */
  start(session: Omit<PageSession, 'tokenHash' | 'expiresAt'>): StartedSession {
    const token = randomBytes(32).toString('base64url')
    const expiresAt = Date.now() + this.#options.lifetimeMs
    const started = { ...session, tokenHash: hashOf(token), expiresAt }
    this.#options.store.add(started)
    return { token, session: started }
  }

  /** Returns the session of a token, with its caller; undefined once it has ended. */
  find(token: string | undefined): { readonly session: PageSession; readonly caller: Caller } | undefined {
    if (token === undefined || !TOKEN.test(token)) return undefined
    const session = this.#options.store.find(hashOf(token))
    if (session === undefined || session.expiresAt <= Date.now()) return undefined
    const caller = this.#options.callerOf(session)
    if (caller === undefined || caller.signal.aborted) return undefined
    const signal = this.#signalOf(session, caller.signal)
    return { session, caller: { ...caller, credential: 'sign-in', signal } }
  }

  /** Signs out: ends the session of a token, and all that still runs for it. */
  end(token: string | undefined): void {
    if (token === undefined || !TOKEN.test(token)) return
    const hash = hashOf(token)
    // First what runs here: the store may be a file that can't be written now.
    this.#abort(hash)
    this.#options.store.remove(hash)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#seen.clear()
  }

  #signalOf({ tokenHash, expiresAt }: PageSession, ofCaller: AbortSignal): AbortSignal {
    const seen = this.#seen.get(tokenHash) ?? {
      end: new AbortController(),
      expiresAt,
      signals: new WeakMap(),
    }
    this.#seen.set(tokenHash, seen)
    this.#timer ??= setInterval(() => this.#checkQuietly(), CHECK_INTERVAL_MS).unref()
    const known = seen.signals.get(ofCaller)
    if (known !== undefined) return known
    const signal = AbortSignal.any([ofCaller, seen.end.signal])
    // Every request of the session listens.
    setMaxListeners(0, signal)
    seen.signals.set(ofCaller, signal)
    return signal
  }

  /** An exception in a timer would end the process. What could not be looked up is looked up again. */
  #checkQuietly(): void {
    try {
      this.#check()
      this.#isFailing = false
    } catch (err) {
      if (!this.#isFailing) this.#options.logger.error({ err }, 'the sign-ins can not be read')
      this.#isFailing = true
    }
  }

  #check(): void {
    const now = Date.now()
    for (const [hash, { expiresAt }] of this.#seen)
      if (expiresAt <= now || this.#options.store.find(hash) === undefined) this.#abort(hash)
    if (this.#seen.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #abort(hash: string): void {
    this.#seen
      .get(hash)
      ?.end.abort(new AccessRevokedError('The sign-in has ended.', 'Sign in again on the page.'))
    this.#seen.delete(hash)
  }
}

/** A token has 256 random bits, so a plain hash can't be reversed, and a look-up by it tells nothing by its time. */
const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')
