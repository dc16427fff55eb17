import type { Scope } from '@petals-chat/api'
import type { AccessDatabase } from '../access-database.ts'
import { AccessError } from '../access-error.ts'
import { assertGrants, inherit } from './grant.ts'
import type { CreatedKey, KeyRecord, KeyVerdict, NewKey } from './key-record.ts'
import { equalHashes, formatToken, hashSecret, newKeyId, newSecret, parseToken } from './key-token.ts'
import { KeyTables, type StoredSecret } from './key-tables.ts'
import { forgettable, madeBy, rootOf } from './made-keys.ts'

/** What a chat needs; metrics and administration are asked for. */
export const defaultScopes: readonly Scope[] = ['models', 'openai', 'legacy', 'swarm']

/** `lastUsedAt` is written at most so often. */
const USE_RESOLUTION_MS = 60_000

const MAX_NAME_LENGTH = 100

/** Valid keys that come from one of the operator's keys, if the operator sets no other number. */
const MAX_MADE_KEYS = 1_000

/** Characters of the models of a key that another key makes. */
const MAX_MODELS_LENGTH = 16_384

/** Secrets of a key: the file keeps those that have ended, to tell that they were revoked, but not for ever. */
const MAX_SECRETS = 16

/** Control characters, separators of lines, marks that turn the direction of writing, and halves of characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

/** The last millisecond that a date with a year of four digits names. A greater number may be one that the file can't return. */
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

export interface KeyStoreOptions {
  /** Valid keys that may come from one of the operator's keys, and as many that have ended and are remembered. */
  readonly maxMadeKeys?: number
  /** Milliseconds since 1970, for tests. */
  readonly now?: () => number
}

/** The keys of a server. All calls are synchronous and take well below a millisecond. */
export class KeyStore {
  readonly #tables: KeyTables
  readonly #now: () => number
  readonly #maxMadeKeys: number
  /** When the use of a key was last noted by this process, or was tried to be. */
  readonly #notedAt = new Map<string, number>()

  constructor(
    database: AccessDatabase,
    { maxMadeKeys = MAX_MADE_KEYS, now = Date.now }: KeyStoreOptions = {},
  ) {
    this.#tables = new KeyTables(database)
    this.#maxMadeKeys = maxMadeKeys
    this.#now = now
  }

  /** Changes when another process or this one has changed keys, or another file has taken the place of that of the keys. */
  get version(): string {
    return this.#tables.version
  }

  /** There is, or once was, a key. */
  get hasKeys(): boolean {
    return this.#tables.list().length > 0
  }

  /**
   * Makes a key. @param maker the key that asks for it; left out: the operator.
   * @throws AccessError if the name is taken, or the maker has less than the new key or has made too many.
   */
  create(wanted: NewKey, maker?: KeyRecord): CreatedKey {
    return this.#tables.atomically(() => this.#create(wanted, maker))
  }

  #create(wanted: NewKey, maker: KeyRecord | undefined): CreatedKey {
    if (maker !== undefined) this.#makeRoom(maker, wanted)
    const scopes = [...new Set(wanted.scopes ?? defaultScopes)]
    const asked = maker === undefined ? { ...wanted, scopes } : inherit(maker, { ...wanted, scopes })
    if (maker !== undefined) assertGrants(maker, asked)
    const key: KeyRecord = {
      id: newKeyId(),
      name: this.#freeName(wanted.name),
      scopes,
      models: asked.models,
      limits: asked.limits ?? {},
      createdAt: this.#now(),
      expiresAt: this.#future(asked.expiresAt),
      revokedAt: undefined,
      lastUsedAt: undefined,
      madeBy: maker?.id,
    }
    const secret = newSecret()
    this.#tables.insert(key, hashSecret(secret))
    return { key, token: formatToken({ id: key.id, secret }) }
  }

  /** Returns the id of the operator's key from which a key descends: the key itself, if the operator made it. */
  rootOf({ id }: Pick<KeyRecord, 'id'>): string {
    return rootOf(this.#tables.list(), id)
  }

  /** All keys, revoked ones too, the oldest first; with `maker`, those that it made, directly or through other keys. */
  list(maker?: Pick<KeyRecord, 'id'>): KeyRecord[] {
    const keys = this.#tables.list()
    return maker === undefined ? keys : madeBy(keys, maker.id)
  }

  /**
   * Returns the key with that id, or the one of that name that is not revoked.
   * @param maker finds only keys that it made. @throws AccessError `not_found`
   */
  find(idOrName: string, maker?: Pick<KeyRecord, 'id'>): KeyRecord {
    const keys = this.list(maker)
    const found =
      keys.find(({ id }) => id === idOrName) ??
      keys.find(({ name, revokedAt }) => name === idOrName && revokedAt === undefined)
    if (found !== undefined) return found
    throw new AccessError('not_found', `There is no key '${idOrName.slice(0, MAX_NAME_LENGTH)}'.`)
  }

  /** Revokes a key for good, and all keys that it made. Returns the ids of those that were valid. */
  revoke(id: string): readonly string[] {
    // A key that is being made meanwhile, by another process too, is seen here, or its maker is refused.
    return this.#tables.atomically(() => {
      const keys = this.#tables.list()
      const ids = [...keys.filter((key) => key.id === id), ...madeBy(keys, id)]
        .filter(({ revokedAt }) => revokedAt === undefined)
        .map((key) => key.id)
      this.#tables.revoke(ids, this.#now())
      return ids
    })
  }

  /**
   * Gives a key a new secret. Its id, name, scopes, limits and usage stay.
   * @param graceMs for which the old secret still counts. Default 0.
   * @throws AccessError if the key is revoked or expired, or too many of its secrets still count.
   */
  rotate(id: string, { graceMs = 0 }: { readonly graceMs?: number } = {}): CreatedKey {
    const key = this.find(id)
    const state = stateOf(key, this.#now())
    if (state !== 'valid')
      throw new AccessError(
        'invalid',
        `The key '${key.name}' is ${state}. Make a new one: petals-chat keys create`,
      )
    const secret = newSecret()
    // Without grace it has ended for good, also if the clock is set back.
    const oldUntil = graceMs === 0 ? 0 : possibleTime(this.#now() + graceMs)
    this.#tables.atomically(() => {
      this.#forgetSecrets(key)
      this.#tables.rotate(key.id, hashSecret(secret), oldUntil)
    })
    return { key, token: formatToken({ id: key.id, secret }) }
  }

  /**
   * Says what a token is worth, in a time that tells of a wrong one no more than whether it has the form of a key. Only the
   * holder of the right secret is told that a key has expired or was revoked.
   */
  verify(token: string): KeyVerdict {
    const parsed = parseToken(token)
    if (parsed === undefined) return { state: 'unknown' }
    const hash = hashSecret(parsed.secret)
    const secret = this.#tables.secretWith(parsed.id, hash)
    if (secret === undefined || !equalHashes(secret.hash, hash)) return { state: 'unknown' }
    return this.#judge(parsed.id, secret)
  }

  /** Says what a key is worth now, by what `verify` returned for it. */
  verdict(id: string, secretId: number): KeyVerdict {
    const secret = this.#tables.secretsOf(id).find((candidate) => candidate.secretId === secretId)
    return secret === undefined ? { state: 'unknown' } : this.#judge(id, secret)
  }

  /** Leaves room for one more secret. @throws AccessError if all of them still count. */
  #forgetSecrets({ id, name }: KeyRecord): void {
    const secrets = this.#tables.secretsOf(id)
    const ended = secrets.filter(({ expiresAt }) => expiresAt !== undefined && expiresAt <= this.#now())
    const forgotten = ended.slice(0, Math.max(secrets.length + 1 - MAX_SECRETS, 0))
    this.#tables.forgetSecrets(forgotten.map(({ secretId }) => secretId))
    if (secrets.length - forgotten.length < MAX_SECRETS) return
    throw new AccessError(
      'invalid',
      `The key '${name}' has ${MAX_SECRETS} secrets that still count. Wait until the grace of one is over, or make a new key.`,
    )
  }

  #judge(id: string, { secretId, expiresAt }: StoredSecret): KeyVerdict {
    const key = this.#tables.get(id)
    if (key === undefined) return { state: 'unknown' }
    const state = stateOf(key, this.#now())
    if (state !== 'valid') return { state }
    if (expiresAt !== undefined && expiresAt <= this.#now()) return { state: 'revoked' }
    const ends = [key.expiresAt, expiresAt].filter((end) => end !== undefined)
    return { state, key, secretId, validUntil: ends.length === 0 ? undefined : Math.min(...ends) }
  }

  /** Notes that a key was used. Does nothing if that was noted within the last minute. */
  noteUse({ id, lastUsedAt }: Pick<KeyRecord, 'id' | 'lastUsedAt'>): void {
    const now = this.#now()
    const notedAt = Math.max(lastUsedAt ?? -Infinity, this.#notedAt.get(id) ?? -Infinity)
    // The clock may have been set back since.
    if (Math.abs(now - notedAt) < USE_RESOLUTION_MS) return
    // Noted first: a file that can't be written now must not be waited for at each request.
    this.#notedAt.set(id, now)
    this.#tables.noteUse(id, now)
  }

  /** A maker that was stolen must not fill the disk. @throws AccessError */
  #makeRoom(maker: KeyRecord, { models = [] }: NewKey): void {
    this.#assertValid(maker)
    if (models.join().length > MAX_MODELS_LENGTH)
      throw new AccessError(
        'invalid',
        `The models of a key have at most ${MAX_MODELS_LENGTH} characters together.`,
      )
    const keys = this.#tables.list()
    const family = madeBy(keys, rootOf(keys, maker.id))
    const hasEnded = (key: KeyRecord) => stateOf(key, this.#now()) !== 'valid'
    this.#tables.forget(forgettable(family, hasEnded, this.#maxMadeKeys))
    if (family.filter((key) => !hasEnded(key)).length < this.#maxMadeKeys) return
    throw new AccessError(
      'invalid',
      `Keys that were made by other keys: ${this.#maxMadeKeys} are valid, and this server allows no more from one ` +
        'key of its operator (server.access.maxMadeKeys). Revoke some first.',
    )
  }

  /** The key of a maker may have been revoked since its request came. */
  #assertValid({ id, name }: Pick<KeyRecord, 'id' | 'name'>): void {
    const key = this.#tables.get(id)
    if (key !== undefined && stateOf(key, this.#now()) === 'valid') return
    throw new AccessError('not_granted', `The key '${name}' does not count any more, so it makes no keys.`)
  }

  #freeName(name: string): string {
    const trimmed = name.trim()
    if (trimmed === '' || trimmed.length > MAX_NAME_LENGTH || UNPRINTABLE.test(trimmed))
      throw new AccessError(
        'invalid',
        `The name of a key has 1 to ${MAX_NAME_LENGTH} characters in one line.`,
      )
    const isTaken = this.#tables.list().some((key) => key.name === trimmed && key.revokedAt === undefined)
    if (isTaken) throw new AccessError('invalid', `There is already a key '${trimmed}'. Choose another name.`)
    return trimmed
  }

  #future(expiresAt: number | undefined): number | undefined {
    if (expiresAt === undefined) return undefined
    if (expiresAt > this.#now()) return possibleTime(expiresAt)
    throw new AccessError('invalid', 'The key would expire in the past. Choose a later time.')
  }
}

/** @throws AccessError if the time is too far away to be kept. */
function possibleTime(time: number): number {
  if (time <= LAST_TIME) return time
  throw new AccessError(
    'invalid',
    'A key and its secrets end in the year 9999 at the latest. Choose an earlier time.',
  )
}

function stateOf({ revokedAt, expiresAt }: KeyRecord, now: number): 'valid' | 'revoked' | 'expired' {
  if (revokedAt !== undefined) return 'revoked'
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : 'valid'
}
