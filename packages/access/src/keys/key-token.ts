import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** 60 bits: the id is shown in lists and logs, and finds the key in the file. */
const ID_LENGTH = 12
/** Easy to read aloud; no 0, 1, l or o. */
const ID_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'
/** 256 random bits: nothing to guess, so a fast hash is as good as a slow one. */
const SECRET_BYTES = 32

/** Clients and scanners for leaked secrets know keys by `sk-`. */
const TOKEN = /^sk-petals-([a-z2-9]{12})-([\w-]{43})$/

/** The parts of a key as its user has it. */
export interface KeyToken {
  readonly id: string
  readonly secret: string
}

/** Reports whether a text has the form of a key. */
export const isKeyToken = (text: string): boolean => TOKEN.test(text)

/** Reads a key; undefined if the text is none. */
export function parseToken(text: string): KeyToken | undefined {
  const [, id, secret] = TOKEN.exec(text) ?? []
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

export const formatToken = ({ id, secret }: KeyToken): string => `sk-petals-${id}-${secret}`

/** Each byte has one of 32 letters, so none is more probable than another. */
export const newKeyId = (): string =>
  [...randomBytes(ID_LENGTH)].map((byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join('')

export const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url')

/** SHA-256 of the secret: what the file has instead of it. */
export const hashSecret = (secret: string): Uint8Array => createHash('sha256').update(secret).digest()

/** Compares in constant time. */
export const equalHashes = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && timingSafeEqual(left, right)
