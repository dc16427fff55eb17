import type { AbortOptions } from '@petals-chat/engine'
import type { DhtClient } from '../dht/dht-client.ts'
import type { MsgpackValue } from '../wire/msgpack.ts'
import { isDhtPrefix } from './dht-prefix.ts'

/** A model as servers have registered it (`petals/utils/dht.py`, `_petals.models`). */
export interface SwarmModel {
  readonly dhtPrefix: string
  readonly numBlocks: number
  /** Address of the model's page on the hub; undefined if its servers loaded a local folder. */
  readonly repository: string | undefined
}

const registryKey = '_petals.models'

/** More blocks than the largest models have (Llama 3.1 405B: 126). */
const maxBlocks = 1024

/** Models that servers of the swarm have registered; private ones (prefix `_…`) are not among them. */
export async function listSwarmModels(
  dht: DhtClient,
  options?: AbortOptions,
): Promise<readonly SwarmModel[]> {
  const records = await dht.getMany([registryKey], options)
  const entries = [...(records.get(registryKey)?.subkeys ?? [])]
  return entries
    .map(([dhtPrefix, { value }]) => parseModel(dhtPrefix, value))
    .filter((model) => model !== undefined)
    .sort((a, b) => a.dhtPrefix.localeCompare(b.dhtPrefix))
}

function parseModel(dhtPrefix: string, value: MsgpackValue): SwarmModel | undefined {
  if (!(value instanceof Map) || !isDhtPrefix(dhtPrefix)) return undefined
  const fields = value as ReadonlyMap<MsgpackValue, MsgpackValue>
  const numBlocks = fields.get('num_blocks')
  if (
    typeof numBlocks !== 'number' ||
    !Number.isInteger(numBlocks) ||
    numBlocks < 1 ||
    numBlocks > maxBlocks
  ) {
    return undefined
  }
  return { dhtPrefix, numBlocks, repository: parseRepository(fields.get('repository')) }
}

/** It will be a link on a page: only what a link may be. */
function parseRepository(value: MsgpackValue | undefined): string | undefined {
  if (typeof value !== 'string' || value.length > 500) return undefined
  return /^https?:$/.test(URL.parse(value)?.protocol ?? '') ? value : undefined
}
