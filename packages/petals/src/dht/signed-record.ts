import { constants, createPublicKey, verify, type KeyObject } from 'node:crypto'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { Float, Tuple } from '../wire/msgpack-values.ts'

/**
 * A record that only the owner of a key may write (`hivemind/dht/crypto.py`): its key or subkey contains
 * `[owner:ssh-rsa …]`, and its value ends with `[signature:…]`. Petals does not sign records; moderated swarms may.
 */
export interface ProtectedRecord {
  /** Id of the key. */
  readonly keyId: Uint8Array
  /** msgpack of the subkey. */
  readonly subkey: Uint8Array
  readonly value: Uint8Array
  readonly expirationTime: number
}

/** No two of its parts can match the same characters, so that it never tries two ways to read a hostile text. */
const ownerPattern = /\[owner:(ssh-rsa [A-Za-z0-9+/=]+)(?:[^A-Za-z0-9+/=\][][^\][]*)?\]/g
const signaturePattern = /\[signature:([A-Za-z0-9+/=]+)\]/g

/** latin1 keeps every byte, so that patterns can match within binary values. */
const asText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** Reports whether a record names an owner. */
export const isProtected = (subkey: string): boolean => subkey.includes('[owner:')

/** Returns the value without its signature; unchanged if the record is not protected; undefined if the signature is missing or wrong. */
export function verifiedValue(record: ProtectedRecord): Uint8Array | undefined {
  const owners = [...asText(record.subkey).matchAll(ownerPattern)].map(([, key]) => key!)
  if (owners.length === 0) return record.value
  const text = asText(record.value)
  const signatures = [...text.matchAll(signaturePattern)].map(([, signature]) => signature!)
  if (owners.length > 1 || signatures.length !== 1) return undefined
  const value = Buffer.from(text.replaceAll(signaturePattern, ''), 'latin1')
  return isSignedBy(owners[0]!, signatures[0]!, { ...record, value }) ? value : undefined
}

function isSignedBy(
  owner: string,
  signature: string,
  { keyId, subkey, value, expirationTime }: ProtectedRecord,
): boolean {
  const key = parseOpenSshKey(owner)
  if (!key) return false
  const signed = encodeMsgpack(new Tuple([keyId, subkey, value, new Float(expirationTime)]))
  const padding = constants.RSA_PKCS1_PSS_PADDING
  const saltLength = constants.RSA_PSS_SALTLEN_AUTO // hivemind signs with the longest salt that fits
  return verify('sha256', signed, { key, padding, saltLength }, Buffer.from(signature, 'base64'))
}

/** Parses `ssh-rsa` and the base64 of three length-prefixed fields: the name, the exponent, the modulus. */
function parseOpenSshKey(text: string): KeyObject | undefined {
  const bytes = Buffer.from(text.slice('ssh-rsa '.length), 'base64')
  const fields: Buffer[] = []
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = bytes.readUInt32BE(at)
    fields.push(bytes.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  const [, e, n] = fields
  if (!e || !n) return undefined
  try {
    return createPublicKey({
      key: { kty: 'RSA', e: e.toString('base64url'), n: n.toString('base64url') },
      format: 'jwk',
    })
  } catch {
    return undefined
  }
}
