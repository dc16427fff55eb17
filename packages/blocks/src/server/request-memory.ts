import { totalmem } from 'node:os'
import { InboundBudget, longestMessage } from '@petals-chat/petals/protocol'
import type { BlockEngineInfo } from '../engine/block-engine.ts'

const mebibyte = 1024 * 1024
const leastBytes = 256 * mebibyte
const mostBytes = 2048 * mebibyte

/** Creates the memory that requests may take. */
export const createRequestMemory = (bytes?: number): RequestMemory => {
  const total = bytes ?? Math.min(Math.max(totalmem() / 8, leastBytes), mostBytes)
  return { budget: new InboundBudget(total), longestBytes: longestMessage(total) }
}

export interface RequestMemory {
  readonly budget: InboundBudget
  /** The longest request that fits. */
  readonly longestBytes: number
}

/** Returns the longest request that is of use: hidden states, as much again for prompts, and what is around them. */
export function longestRequest(
  { maxBatchTokens, hiddenSize }: BlockEngineInfo,
  { longestBytes }: RequestMemory,
): number {
  const states = maxBatchTokens * hiddenSize * 4
  return Math.min(2 * states + mebibyte, longestBytes)
}
