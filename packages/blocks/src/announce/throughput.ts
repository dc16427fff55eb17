import type { AbortOptions } from '@petals-chat/engine'
import { type BlockRange } from '@petals-chat/petals/protocol'
import type { BlockEngine, BlockEngineInfo } from '../engine/block-engine.ts'

/** What a server announces of its speed, tokens per second. */
export interface Throughput {
  /** One block, one token at a time. */
  readonly inferenceRps: number
  /** One block, many tokens at a time. */
  readonly forwardRps: number
  /** Through the network, in hidden states of 16 bits. */
  readonly networkRps: number
  /** What block choice counts with. */
  readonly throughput: number
}

export interface ThroughputOptions extends AbortOptions {
  /** Bits per second of the slower direction. Default: 100 Mbit/s, as Petals assumes where it can't measure. */
  readonly networkBps?: number | undefined
  readonly usesRelay?: boolean | undefined
  readonly maxMs?: number | undefined
}

const defaultNetworkBps = 100e6
const defaultMaxMs = 2000
/** Petals' numbers of steps, and tokens of a batch (`petals/server/throughput.py`). */
const inferenceSteps = 100
const forwardSteps = 10
const forwardTokens = 1024
const relayPenalty = 0.2
/** Readers take a higher rate for a false one. */
const mostRps = 1e6
/** Clients send 16 bits for each value. */
const bitsPerValue = 16

/**
 * Measures one block of the engine as Petals does, all overhead of the engine included, and at most for about `maxMs` each way.
 * The network is measured elsewhere, with peers (`NetworkSpeed`).
 */
export async function measureThroughput(
  engine: BlockEngine,
  { networkBps = defaultNetworkBps, usesRelay = false, maxMs = defaultMaxMs, signal }: ThroughputOptions = {},
): Promise<Throughput> {
  const inferenceRps = await measureInference(engine, maxMs, signal)
  const forwardRps = await measureForward(engine, maxMs, signal)
  return withNetwork({ inferenceRps, forwardRps }, engine.info, { networkBps, usesRelay })
}

/** Adds the speed of the network to that of computing. */
export function withNetwork(
  { inferenceRps, forwardRps }: Pick<Throughput, 'inferenceRps' | 'forwardRps'>,
  info: BlockRange & Pick<BlockEngineInfo, 'hiddenSize'>,
  { networkBps, usesRelay }: { readonly networkBps: number; readonly usesRelay: boolean },
): Throughput {
  const networkRps = Math.min(networkBps / (info.hiddenSize * bitsPerValue), mostRps)
  const rates = { inferenceRps, forwardRps, networkRps }
  return { ...rates, throughput: combined(rates, info, usesRelay) }
}

/** Returns the throughput of a server: requests begin at any of its blocks, and use half of them on average. */
export function combined(
  { forwardRps, networkRps }: Pick<Throughput, 'forwardRps' | 'networkRps'>,
  { start, end }: BlockRange,
  usesRelay: boolean,
): number {
  const averageBlocks = (end - start + 1) / 2
  return Math.min(forwardRps / averageBlocks, networkRps * (usesRelay ? relayPenalty : 1))
}

const oneBlock = ({ info }: BlockEngine): BlockRange => ({ start: info.start, end: info.start + 1 })

async function measureInference(engine: BlockEngine, maxMs: number, signal?: AbortSignal): Promise<number> {
  const blocks = oneBlock(engine)
  const maxLength = Math.min(inferenceSteps + 1, engine.info.maxLength)
  await using cache = await engine.openCache({ ...blocks, batch: 1, maxLength, timeoutMs: 0, signal })
  const step = { ...blocks, batch: 1, tokens: 1, states: noise(engine.info.hiddenSize), signal }
  return await rate(() => cache.step(step), { steps: maxLength - 1, tokens: 1, maxMs })
}

async function measureForward(engine: BlockEngine, maxMs: number, signal?: AbortSignal): Promise<number> {
  const { hiddenSize, maxBatchTokens, maxLength } = engine.info
  const tokens = Math.min(forwardTokens, maxBatchTokens, maxLength)
  const pass = { ...oneBlock(engine), batch: 1, tokens, states: noise(tokens * hiddenSize), signal }
  return await rate(() => engine.forward(pass), { steps: forwardSteps, tokens, maxMs })
}

/** The first step is not counted: it includes what is done once. */
async function rate(
  step: () => Promise<unknown>,
  { steps, tokens, maxMs }: { readonly steps: number; readonly tokens: number; readonly maxMs: number },
): Promise<number> {
  await step()
  const startedAt = performance.now()
  let done = 0
  while (done < steps && performance.now() - startedAt < maxMs) {
    await step()
    done++
  }
  return (done * tokens * 1000) / Math.max(performance.now() - startedAt, 1e-3)
}

/** Values about as large as hidden states, without a library for normal ones: their sizes don't change the speed. */
const noise = (length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898) * 1.7)
