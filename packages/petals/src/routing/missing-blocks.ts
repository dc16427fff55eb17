import { MissingBlocksError } from '@petals-chat/engine'
import { formatBlocks } from '../blocks/block-range.ts'
import type { ServerFilter } from './candidates.ts'

const howToHelp =
  "'petals-chat swarm status' shows which servers are online and how to fill the gap; https://health.petals.dev shows the public swarm. " +
  'If you have a GPU, you can help by serving blocks: ' +
  'https://github.com/bigscience-workshop/petals#connect-your-gpu-and-increase-petals-capacity'

export interface ModelOfSwarm extends ServerFilter {
  readonly dhtPrefix: string
  readonly numBlocks: number
  /** Servers that hold some of these blocks, but were found wrong by spot checks. */
  readonly wrongServers?: number | undefined
}

/** Returns an error that names the blocks that no server holds, and what the user can do. */
export function missingBlocksError(
  blocks: readonly number[],
  { dhtPrefix, numBlocks, allowed, blocked, adapter, wrongServers = 0 }: ModelOfSwarm,
): MissingBlocksError {
  const isFiltered = allowed || blocked?.size || adapter
  const withAdapter = adapter ? `, with the adapter ${adapter},` : ''
  const condition = isFiltered ? ` that the configuration allows${withAdapter}` : ''
  const message = `No server${condition} is online that holds ${describeBlocks(blocks)} of '${dhtPrefix}' (${numBlocks} blocks).${describeWrong(wrongServers)} ${howToHelp}`
  return new MissingBlocksError(blocks, message)
}

const describeWrong = (count: number): string => {
  if (count === 0) return ''
  const [servers, them] =
    count === 1 ? ['One server that holds some is', 'it'] : [`${count} servers that hold some are`, 'them']
  return ` ${servers} not used, because spot checks (swarm.audit) found ${them} wrong.`
}

/** Returns an error that names the blocks whose servers did not answer in time. */
export function silentBlocksError(
  blocks: readonly number[],
  { dhtPrefix, numBlocks }: Pick<ModelOfSwarm, 'dhtPrefix' | 'numBlocks'>,
  waitedMs: number,
  cause: unknown,
): MissingBlocksError {
  const seconds = Math.round(waitedMs / 1000)
  const waited = seconds === 0 ? '' : ` for ${seconds} seconds`
  const message = `No server that holds ${describeBlocks(blocks)} of '${dhtPrefix}' (${numBlocks} blocks) has answered${waited}. ${howToHelp}`
  return new MissingBlocksError(blocks, message, { cause })
}

const describeBlocks = (blocks: readonly number[]): string =>
  `${blocks.length === 1 ? 'block' : 'blocks'} ${formatBlocks(blocks)}`
