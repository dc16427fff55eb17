import { Float, Tuple, type MsgpackInput } from '../wire/msgpack-values.ts'
import type { ServerInfo, ServerState } from './server-info.ts'

const stateNumbers: Readonly<Record<ServerState, number>> = { offline: 0, joining: 1, online: 2 }

/**
 * Returns what a server announces, as the tuple (state, throughput, extra) of Petals (`to_tuple` in `petals/data_structures.py`).
 * Python checks the types strictly: rates and round trips are floats, and what is not known is nil.
 */
export function encodeServerInfo(info: ServerInfo): MsgpackInput {
  const { state, throughput, blocks, nextPings } = info
  const pings = nextPings && new Map([...nextPings].map(([peer, seconds]) => [peer, new Float(seconds)]))
  const extra = new Map<string, MsgpackInput>([
    ['start_block', blocks?.start ?? null],
    ['end_block', blocks?.end ?? null],
    ['public_name', info.publicName ?? null],
    ['version', info.version ?? null],
    ['network_rps', rate(info.networkRps)],
    ['forward_rps', rate(info.forwardRps)],
    ['inference_rps', rate(info.inferenceRps)],
    ['adapters', new Tuple(info.adapters)],
    ['torch_dtype', info.torchDtype ?? null],
    ['quant_type', info.quantType ?? null],
    ['using_relay', info.usingRelay ?? null],
    ['cache_tokens_left', info.cacheTokensLeft ?? null],
    ['next_pings', pings ?? null],
  ])
  return new Tuple([stateNumbers[state], new Float(throughput), extra])
}

const rate = (value: number | undefined): MsgpackInput => (value === undefined ? null : new Float(value))
