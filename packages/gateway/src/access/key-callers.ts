import { setMaxListeners } from 'node:events'
import { isKeyToken, type KeyRecord, type KeyStore, type KeyVerdict } from '@petals-chat/access'
import type { Logger } from '@petals-chat/engine'
import { AccessRevokedError, AuthenticationError } from '../errors.ts'
import { keysUnavailable } from '../unusable-file.ts'
import type { CallerRequest, CallerSource } from './access.ts'
import type { Caller } from './caller.ts'
import { presentedKey } from './presented-key.ts'
import { WrongKeys } from './wrong-keys.ts'

/** Milliseconds between looks at the file of keys: a revoked key has to be out within a second. */
const CHECK_INTERVAL_MS = 250

const UNREADABLE_MS = 5_000

interface Entry {
  readonly caller: Caller
  readonly key: KeyRecord
  readonly secretId: number
  validUntil: number | undefined
  readonly abort: AbortController
}

export interface KeyCallersOptions {
  readonly keys: KeyStore
  /** `server.access.wrongKeysPerMinute` */
  readonly wrongKeysPerMinute: number
  readonly logger: Logger
  /** Milliseconds for which callers stay who were identified before the file of keys could not be read any more. */
  readonly unreadableMs?: number
}

/** Callers with API keys. Notices within a second that a key has expired, or that any process has revoked or rotated it. */
export class KeyCallers implements CallerSource, Disposable {
  readonly #options: KeyCallersOptions
  /** By key and secret, so that a rotated secret ends alone. */
  readonly #entries = new Map<string, Entry>()
  readonly #wrongKeys: WrongKeys
  readonly #timer: NodeJS.Timeout
  #version: string
  /** By a clock that never goes back. */
  #unreadableSince: number | undefined

  constructor(options: KeyCallersOptions) {
    this.#options = options
    this.#wrongKeys = new WrongKeys(options.wrongKeysPerMinute)
    this.#version = options.keys.version
    this.#timer = setInterval(() => this.#checkQuietly(), CHECK_INTERVAL_MS)
    this.#timer.unref()
  }

  identify(request: CallerRequest): Caller | undefined {
    const token = presentedKey(request)
    if (token === undefined) return undefined
    try {
      return this.callerOfToken(token)
    } catch (error) {
      const isWrong = error instanceof AuthenticationError
      throw (isWrong ? this.#wrongKeys.count(request.client.network) : undefined) ?? error
    }
  }

  get keys(): KeyStore {
    return this.#options.keys
  }

  /** Returns the key of a caller; undefined if the caller has another credential. */
  keyOf(caller: Caller): KeyRecord | undefined {
    return [...this.#entries.values()].find((entry) => entry.caller === caller)?.key
  }

  /** Returns the caller with that key, also for a sign-in. @throws AuthenticationError */
  callerOfToken(token: string): Caller {
    const { keys } = this.#options
    const verdict = keys.verify(token)
    if (verdict.state !== 'valid') throw wrongKey(verdict.state, token)
    this.#noteUse(verdict.key)
    return this.#callerOf(verdict)
  }

  /** A key and its secret: after a rotation, those who signed in with the old secret must sign in again. */
  credentialOf(caller: Caller): string | undefined {
    return [...this.#entries].find(([, entry]) => entry.caller === caller)?.[0]
  }

  callerOf(credential: string): Caller | undefined {
    const [keyId = '', secretId] = credential.split(':')
    const verdict = this.#options.keys.verdict(keyId, Number(secretId))
    return verdict.state === 'valid' ? this.#callerOf(verdict) : undefined
  }

  /** Ends callers whose keys no longer count. Called by a timer; a change made by this process need not wait for it. */
  check(): void {
    const { version } = this.#options.keys
    const changed = version !== this.#version
    const failures: unknown[] = []
    for (const [name, entry] of this.#entries) {
      if (!changed && (entry.validUntil ?? Infinity) > Date.now()) continue
      try {
        this.#checkEntry(name, entry)
      } catch (error) {
        failures.push(error)
      }
    }
    // An entry that could not be looked up is looked up again.
    if (failures.length === 0) this.#version = version
    else throw failures[0]
  }

  #checkEntry(name: string, entry: Entry): void {
    const verdict = this.#options.keys.verdict(entry.key.id, entry.secretId)
    if (verdict.state === 'valid') {
      entry.validUntil = verdict.validUntil
      return
    }
    this.#entries.delete(name)
    entry.abort.abort(
      new AccessRevokedError(`The API key ${verdict.state === 'expired' ? 'has expired' : 'was revoked'}.`),
    )
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** An exception in a timer would end the process. */
  #checkQuietly(): void {
    const { logger, unreadableMs = UNREADABLE_MS } = this.#options
    try {
      this.check()
      if (this.#unreadableSince !== undefined) logger.info({}, 'the file of API keys can be read again')
      this.#unreadableSince = undefined
    } catch (err) {
      if (this.#unreadableSince === undefined) logger.error({ err }, 'the file of API keys can not be read')
      this.#unreadableSince ??= performance.now()
      if (performance.now() - this.#unreadableSince >= unreadableMs) this.#endAll()
    }
  }

  /** Whether their keys were revoked meanwhile can't be known. */
  #endAll(): void {
    for (const { abort } of this.#entries.values()) abort.abort(keysUnavailable())
    this.#entries.clear()
  }

  #callerOf({ key, secretId, validUntil }: Extract<KeyVerdict, { readonly state: 'valid' }>): Caller {
    const name = `${key.id}:${secretId}`
    const known = this.#entries.get(name)
    if (known !== undefined) return known.caller
    const abort = new AbortController()
    // Every request of the key listens.
    setMaxListeners(0, abort.signal)
    const caller: Caller = {
      id: `key:${key.id}`,
      name: key.name,
      credential: 'key',
      scopes: new Set(key.scopes),
      models: key.models,
      limits: key.limits,
      signal: abort.signal,
    }
    this.#entries.set(name, { caller, key, secretId, validUntil, abort })
    return caller
  }

  /** A disk that is full must not keep callers out. */
  #noteUse(key: KeyRecord): void {
    try {
      this.#options.keys.noteUse(key)
    } catch (err) {
      this.#options.logger.debug({ err }, 'the use of a key was not noted')
    }
  }
}

function wrongKey(state: 'unknown' | 'expired' | 'revoked', token: string): AuthenticationError {
  const looksRight = isKeyToken(token)
  const message = {
    unknown: looksRight
      ? 'This server does not know the API key. It may belong to another server.'
      : 'This is no API key of this server; its keys begin with sk-petals-.',
    expired: 'The API key has expired.',
    revoked: 'The API key was revoked.',
  }[state]
  return new AuthenticationError(
    'invalid_api_key',
    `${message} Ask the operator of this server for a new one.`,
  )
}
