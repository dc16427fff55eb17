import type { SwarmModel } from '../api/swarm.ts'
import { toRanges } from './block-ranges.ts'

/**
 * The command that starts a Petals server for a model (`petals/cli/run_server.py` of Petals 2.2). Where blocks are
 * missing it names the first gap; otherwise the server chooses the blocks that need it most.
 */
export function joinCommand({ id, dhtPrefix, missingBlocks, initialPeers }: SwarmModel): string {
  const [gap] = toRanges(missingBlocks)
  const words = ['python -m petals.cli.run_server', quote(id)]
  if (dhtPrefix && !isDefaultPrefix(dhtPrefix, id)) words.push('--dht_prefix', quote(dhtPrefix))
  if (gap) words.push('--block_indices', `${gap.start}:${gap.end}`)
  if (initialPeers.length > 0) words.push('--initial_peers', ...initialPeers.map(quote))
  return words.join(' ')
}

/** What Petals derives from a repository's name by itself, by the model's family (`petals/models/*\/config.py`). */
function isDefaultPrefix(dhtPrefix: string, id: string): boolean {
  const name = id.split('/').at(-1) ?? id
  const dashed = name.replaceAll('.', '-')
  return [`${name}-petals`, dashed, dashed.endsWith('-hf') ? dashed : `${dashed}-hf`].includes(dhtPrefix)
}

/** Addresses come from the config and the swarm: they must stay one word each in every shell. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
