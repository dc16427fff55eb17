import { blocksOf, type BlockRange } from './block-range.ts'

/** Returns the name of a block: the key of its record in the DHT, and a part of requests (`petals/data_structures.py`). */
export const blockUid = (dhtPrefix: string, block: number): string => `${dhtPrefix}.${block}`

/** Returns the names of consecutive blocks, which a server runs in this order: the `uid` of an `rpc_inference` request. */
export const rangeUid = (dhtPrefix: string, blocks: BlockRange): string =>
  blocksOf(blocks)
    .map((block) => blockUid(dhtPrefix, block))
    .join(' ')
