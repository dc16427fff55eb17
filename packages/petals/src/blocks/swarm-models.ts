import type { AbortOptions } from '@petals-chat/engine'
import type { DhtClient } from '../dht/dht-client.ts'
import type { MsgpackValue } from '../wire/msgpack-values.ts'

/** A model as servers have registered it (`petals/utils/dht.py`, `_petals.models`). */
export interface SwarmModel {
  readonly dhtPrefix: string
  readonly numBlocks: number
  /** URL of the model's page on the Hub; undefined if its servers loaded a local folder. */
  readonly repository: string | undefined
}

export const registryKey = '_petals.models'

/** More blocks than any model has (Llama 3.1 405B: 126). */
const maxBlocks = 1024

/** Returns the models that servers of the swarm have registered. Servers do not register private models (prefix `_…`). */
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

/** The page shows it as a link: anything but an HTTP URL is dropped. */
function parseRepository(value: MsgpackValue | undefined): string | undefined {
  if (typeof value !== 'string' || value.length > 500) return undefined
  return /^https?:$/.test(URL.parse(value)?.protocol ?? '') ? value : undefined
}

/**
 * Reports whether `text` can be a prefix. It has neither a dot nor a space: both separate parts of block names. Any peer can
 * choose a prefix, and prefixes appear in shell commands and on terminals: quotation marks of any shell (PowerShell accepts
 * typographic ones, too) and invisible characters are refused.
 */
export const isDhtPrefix = (text: string): boolean => /^[^.\s\p{C}'"`\u2018-\u201f]{1,200}$/u.test(text)
