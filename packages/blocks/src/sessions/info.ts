import {
  decodeExpertUid,
  encodeExpertInfo,
  encodeMsgpack,
  ServedError,
  TensorDescriptor,
  Tuple,
  type MsgpackInput,
} from '@petals-chat/petals/protocol'
import { readUids } from '../requests/uids.ts'
import type { ServingHost } from './host.ts'

export interface InfoFields {
  readonly version: string
  readonly dhtClientMode: boolean
  /** Free tokens for one block, keys and values together. */
  readonly cacheTokensAvailable: number
}

/** Dimensions of a batch that Petals' descriptors name; they are no limits. */
const placeholderTokens = 2048

/**
 * Serves `rpc_info` (`petals/server/handler.py`). Besides the fields of Petals, which clients read as the schema of their
 * requests, it tells the limits that clients of Petals learn from errors only.
 */
export const serveInfo =
  (host: ServingHost, version: string, dhtClientMode: boolean) =>
  async (data: Uint8Array): Promise<Uint8Array> => {
    const uid = decodeExpertUid(data)
    const held = host.blocks()
    if (!held) throw new ServedError('KeyError', uid)
    const { info, cacheTokensLeft } = held.engine
    const cacheTokensAvailable = Math.floor(cacheTokensLeft * (info.end - info.start))
    const fields = infoFields({ version, dhtClientMode, cacheTokensAvailable })
    if (uid !== '') {
      readUids(uid, host.dhtPrefix, held.range)
      for (const [name, value] of schemaFields(info.hiddenSize, info.dtype)) fields.set(name, value)
    }
    fields.set('max_batch_size', info.maxBatchTokens).set('inference_max_length', info.maxLength)
    return encodeExpertInfo(encodeMsgpack(fields))
  }

/** The fields of every answer. */
export const infoFields = (fields: InfoFields): Map<string, MsgpackInput> =>
  new Map<string, MsgpackInput>([
    ['version', fields.version],
    ['dht_client_mode', fields.dhtClientMode],
    ['cache_tokens_available', fields.cacheTokensAvailable],
  ])

/** The fields of an answer about a block. Python's client needs tuples where Petals has them. */
export function schemaFields(hiddenSize: number, dtype: string): ReadonlyMap<string, MsgpackInput> {
  const states = descriptor([null, 1, placeholderTokens, hiddenSize], dtype)
  const prompts = descriptor([null], dtype)
  const hypoIds = descriptor([null], 'int64')
  const noKeywords = new Map<string, MsgpackInput>()
  return new Map<string, MsgpackInput>([
    ['forward_schema', new Tuple([new Tuple([states]), noKeywords])],
    ['outputs_schema', new Tuple([states])],
    ['keyword_names', new Tuple([])],
    ['inference_schema', new Tuple([new Tuple([states, prompts, hypoIds]), noKeywords])],
  ])
}

const descriptor = (size: readonly (number | null)[], dtype: string): TensorDescriptor =>
  new TensorDescriptor(
    new Map<string, MsgpackInput>([
      ['size', new Tuple(size)],
      ['dtype', `torch.${dtype}`],
      ['layout', 'torch.strided'],
      ['requires_grad', false],
      ['pin_memory', false],
      ['compression', 0],
      ['device_type', null],
      ['device_index', null],
    ]),
  )
