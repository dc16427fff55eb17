import type { SwarmModel } from '../api/swarm.ts'
import { toRanges, type BlockRange } from './block-ranges.ts'

/**
 * The commands that start Petals servers for a model (`petals/cli/run_server.py` of Petals 2.2): one for each gap, or
 * one whose server chooses the blocks that need it most.
 */
export function joinCommands(model: SwarmModel): readonly string[] {
  const gaps = toRanges(model.missingBlocks)
  return gaps.length > 0 ? gaps.map((gap) => joinCommand(model, gap)) : [joinCommand(model)]
}

function joinCommand({ id, dhtPrefix, initialPeers }: SwarmModel, gap?: BlockRange): string {
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
