import type { SwarmModelStatus } from '@petals-chat/engine'
import { parseModelSource } from '@petals-chat/hub'
import { publicInitialPeers } from '@petals-chat/petals/config'

/** First and last block of a row of missing ones. */
export interface MissingRun {
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

export function missingRuns(blocks: readonly number[]): readonly MissingRun[] {
  return blocks.reduce<readonly MissingRun[]>((runs, block) => {
    const last = runs.at(-1)
    return last?.end === block
      ? [...runs.slice(0, -1), { start: last.start, end: block + 1 }]
      : [...runs, { start: block, end: block + 1 }]
  }, [])
}

/** What starts a server of the model, on a machine with Python and petals; it takes what is needed most, or `blocks`. */
export function joinCommand(
  { dhtPrefix, initialPeers }: Pick<SwarmModelStatus, 'dhtPrefix' | 'initialPeers'>,
  source: string | undefined,
  blocks?: MissingRun,
): string {
  const isPublic = initialPeers.every((address) => publicInitialPeers.includes(address))
  const parts = [
    'python -m petals.cli.run_server',
    modelName(source),
    // Without addresses, servers join the public swarm.
    ...(isPublic ? [] : [`--initial_peers ${initialPeers.join(' ')}`]),
    `--dht_prefix ${dhtPrefix}`,
    ...(blocks === undefined ? [] : [`--block_indices ${blocks.start}:${blocks.end}`]),
  ]
  return parts.join(' ')
}

/** As Petals' servers take it: a repository of the Hub, or a folder. */
function modelName(source: string | undefined): string {
  if (source === undefined) return 'MODEL'
  const parsed = parseModelSource(source)
  const [first] = parsed.type === 'alternatives' ? parsed.sources : [parsed]
  return first?.type === 'hub' ? first.repo : first?.type === 'local' ? first.path : 'MODEL'
}
