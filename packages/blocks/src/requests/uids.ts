import { ServedError, type BlockRange } from '@petals-chat/petals/protocol'

/** The longest list of names that a request can hold: 1,024 blocks with the longest prefix. */
const maxUidLength = 1024 * 256

/**
 * Reads the blocks that a request names (`_check_uids` of `petals/server/handler.py`). @throws ServedError if this server does
 * not hold one of them, or if they do not follow each other: engines run ranges
 */
export function readUids(uid: string, dhtPrefix: string, held: BlockRange | undefined): BlockRange {
  if (uid.length > maxUidLength) throw new ServedError('ValueError', 'The request names too many blocks.')
  const blocks = uid.split(' ').map((name) => {
    const block = blockOf(name, dhtPrefix)
    if (block !== undefined && held && block >= held.start && block < held.end) return block
    throw new ServedError('RuntimeError', `Remote peer does not serve ${name.slice(0, 256)}`)
  })
  const start = blocks[0]!
  if (blocks.some((block, i) => block !== start + i))
    throw new ServedError('ValueError', 'This server runs only blocks that follow each other in the model.')
  return { start, end: start + blocks.length }
}

function blockOf(name: string, dhtPrefix: string): number | undefined {
  const text = name.startsWith(`${dhtPrefix}.`) ? name.slice(dhtPrefix.length + 1) : ''
  return /^(0|[1-9]\d{0,5})$/.test(text) ? Number(text) : undefined
}
