import { blocksOf, type BlockRange } from './block-range.ts'

/** Name of one block: key of its record in the DHT, and part of requests (`petals/data_structures.py`). */
export const blockUid = (dhtPrefix: string, block: number): string => `${dhtPrefix}.${block}`

/** Names of blocks that a server is to run one after the other. */
export const chainUid = (dhtPrefix: string, blocks: BlockRange): string =>
  blocksOf(blocks)
    .map((block) => blockUid(dhtPrefix, block))
    .join(' ')
