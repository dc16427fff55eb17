import { totalmem } from 'node:os'
import { InboundBudget } from '@petals-chat/petals/protocol'
import type { BlockEngineInfo } from '../engine/block-engine.ts'

const mebibyte = 1024 * 1024
const leastBytes = 256 * mebibyte
const mostBytes = 2048 * mebibyte

/** The memory that requests may take. One peer gets half of it at most. */
export interface RequestMemory {
  readonly budget: InboundBudget
  readonly bytesPerPeer: number
}

export function createRequestMemory(bytes?: number): RequestMemory {
  const total = bytes ?? Math.min(Math.max(totalmem() / 8, leastBytes), mostBytes)
  const bytesPerPeer = Math.floor(total / 2)
  return { budget: new InboundBudget(total, bytesPerPeer), bytesPerPeer }
}

/** Returns the longest request that is of use: hidden states, as much again for prompts, and what is around them. */
export function longestRequest(
  { maxBatchTokens, hiddenSize }: BlockEngineInfo,
  { bytesPerPeer }: RequestMemory,
): number {
  const states = maxBatchTokens * hiddenSize * 4
  return Math.min(2 * states + mebibyte, bytesPerPeer)
}
