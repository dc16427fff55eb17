import { blocksOf } from '../blocks/block-range.ts'
import { spansByBlock } from '../blocks/spans.ts'
import type { ServerStatus } from '../routing/router.ts'

/** How many servers hold each block of a model. */
export interface Coverage {
  /** Servers for each block. */
  readonly replicas: readonly number[]
  readonly missingBlocks: readonly number[]
  /** The block whose servers have the least throughput in sum, tokens per second; undefined if the model has no known block. */
  readonly bottleneck:
    { readonly block: number; readonly replicas: number; readonly throughput: number } | undefined
}

/** Which usable servers that are online count: `presumed` all that are not known to be silent, `proven` those that answered. */
export type Trust = 'presumed' | 'proven'

const isAnswering =
  (trust: Trust) =>
  ({ server, alive, usable }: ServerStatus): boolean =>
    usable && server.state === 'online' && (trust === 'proven' ? alive === true : alive !== false)

export function coverageOf(servers: readonly ServerStatus[], numBlocks: number, trust: Trust): Coverage {
  const holders = spansByBlock(servers.filter(isAnswering(trust)), numBlocks)
  const blocks = holders.map((held, block) => ({
    block,
    replicas: held.length,
    throughput: held.reduce((sum, { server }) => sum + server.throughput, 0),
  }))
  return {
    replicas: blocks.map(({ replicas }) => replicas),
    missingBlocks: blocksOf({ start: 0, end: numBlocks }).filter((block) => holders[block]!.length === 0),
    bottleneck: blocks.reduce<Coverage['bottleneck']>(
      (least, block) => (least === undefined || block.throughput < least.throughput ? block : least),
      undefined,
    ),
  }
}
