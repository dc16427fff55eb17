import type { SwarmWait } from './swarm-status.ts'

/** `waiting for a server of blocks 12-23, 30`: for people. */
export function describeWait({ blocks }: SwarmWait): string {
  const ranges = blocks.map(({ start, end }) => (end - start === 1 ? `${start}` : `${start}-${end - 1}`))
  const isOne = blocks.length === 1 && blocks[0]!.end - blocks[0]!.start === 1
  return `waiting for a server of ${isOne ? 'block' : 'blocks'} ${ranges.join(', ')}`
}
