/** The id of a peer: its multihash in base58, as hivemind writes it in records and metadata (`Qm…`, `12D3Koo…`). */
export type PeerId = string & { readonly brand: 'PeerId' }

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** Multihash codes: the sha2-256 of an RSA key, or a short key itself. */
const sha256Code = 0x12
const identityCode = 0x00
/** Longest key that an id can contain itself, bytes. */
const maxInlineKey = 42

/** Texts that are known to be ids: every answer of the DHT contains the same few hundred. */
const knownIds = new Set<string>()
const maxKnownIds = 16_384

/** Parses a peer id. @throws TypeError if the text is not one */
export function parsePeerId(text: string): PeerId {
  const peer = peerIdFromText(text)
  if (peer) return peer
  throw new TypeError(`'${text.slice(0, 80)}' is not a peer id: it should look like Qm… or 12D3Koo….`)
}

/** Returns the peer id of a multihash from the wire; undefined if it is not one of a peer. */
export function peerIdFromBytes(multihash: Uint8Array): PeerId | undefined {
  return isPeerMultihash(multihash) ? (base58Encode(multihash) as PeerId) : undefined
}

/** Returns a text from the wire as a peer id; undefined if it is not one. */
export function peerIdFromText(text: string): PeerId | undefined {
  if (knownIds.has(text)) return text as PeerId
  const bytes = isBase58Length(text) ? base58Decode(text) : undefined
  if (!bytes || !isPeerMultihash(bytes)) return undefined
  if (knownIds.size >= maxKnownIds) knownIds.clear()
  knownIds.add(text)
  return text as PeerId
}

/** Returns the raw multihash: 34 bytes for RSA keys, 38 for Ed25519 keys. */
export const peerIdBytes = (peer: PeerId): Uint8Array => base58Decode(peer)!

/** Returns the end of an id, which is enough to tell peers apart in logs. Petals shows the same. */
export const shortPeerId = (peer: PeerId): string => `…${peer.slice(-6)}`

const isBase58Length = (text: string): boolean => text.length >= 44 && text.length <= 64

function isPeerMultihash(bytes: Uint8Array): boolean {
  const [code, length] = bytes
  if (length !== bytes.byteLength - 2) return false
  return code === sha256Code ? length === 32 : code === identityCode && length > 0 && length <= maxInlineKey
}

function base58Encode(bytes: Uint8Array): string {
  let value = BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`)
  let text = ''
  for (; value > 0n; value /= 58n) text = alphabet[Number(value % 58n)] + text
  const zeros = bytes.findIndex((byte) => byte !== 0)
  return '1'.repeat(zeros === -1 ? bytes.byteLength : zeros) + text
}

function base58Decode(text: string): Uint8Array | undefined {
  let value = 0n
  for (const character of text) {
    const digit = alphabet.indexOf(character)
    if (digit < 0) return undefined
    value = value * 58n + BigInt(digit)
  }
  const digits = value === 0n ? '' : value.toString(16)
  const zeros = text.search(/[^1]|$/)
  return Buffer.concat([
    new Uint8Array(zeros),
    Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex'),
  ])
}
