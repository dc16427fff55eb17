import type { AnswerEvent, AnswerTimings, AnswerUsage, FinishReason } from '../api/chat-stream.ts'
import type { AnswerStats } from './types.ts'

/** An answer while it is written. Immutable: every batch of events gives a new one. */
export interface LiveAnswer {
  readonly messageId: string
  readonly chatId: string
  readonly model: string
  readonly content: string
  readonly reasoning: string
  /** Pieces of text that came so far: about one per token. */
  readonly pieces: number
  /** Milliseconds of the page's clock. */
  readonly startedAt: number
  readonly firstPieceAt: number | undefined
  readonly lastPieceAt: number | undefined
  readonly finishReason: FinishReason | undefined
  readonly usage: AnswerUsage | undefined
  readonly timings: AnswerTimings | undefined
  /** The attempt before failed and another one is made: why, and when. */
  readonly retry: PendingRetry | undefined
}

export interface PendingRetry {
  readonly reason: 'network' | 'capacity'
  readonly at: number
}

export interface AnswerStart {
  readonly messageId: string
  readonly chatId: string
  readonly model: string
  /** Text that is there already, where an answer is continued. */
  readonly content?: string
  readonly reasoning?: string
  readonly now: number
}

export function startAnswer({
  messageId,
  chatId,
  model,
  content = '',
  reasoning = '',
  now,
}: AnswerStart): LiveAnswer {
  return {
    messageId,
    chatId,
    model,
    content,
    reasoning,
    pieces: 0,
    startedAt: now,
    firstPieceAt: undefined,
    lastPieceAt: undefined,
    finishReason: undefined,
    usage: undefined,
    timings: undefined,
    retry: undefined,
  }
}

/** The answer after one more event, which came at `now`. */
export function applyEvent(answer: LiveAnswer, event: AnswerEvent, now: number): LiveAnswer {
  switch (event.type) {
    case 'text':
      return { ...withPiece(answer, now), content: answer.content + event.text }
    case 'reasoning':
      return { ...withPiece(answer, now), reasoning: answer.reasoning + event.text }
    case 'finish':
      return { ...answer, finishReason: event.reason }
    case 'usage':
      return { ...answer, usage: event.usage }
    case 'timings':
      return { ...answer, timings: event.timings }
    case 'position':
      return answer
  }
}

function withPiece(answer: LiveAnswer, now: number): LiveAnswer {
  return {
    ...answer,
    pieces: answer.pieces + 1,
    firstPieceAt: answer.firstPieceAt ?? now,
    lastPieceAt: now,
    retry: undefined,
  }
}

/** Tokens per second: the server's figure, else counted by the page's clock from the second piece on. */
export function tokensPerSecond(answer: LiveAnswer): number | undefined {
  if (answer.timings?.tokensPerSecond !== undefined) return answer.timings.tokensPerSecond
  const { firstPieceAt, lastPieceAt, pieces } = answer
  if (firstPieceAt === undefined || lastPieceAt === undefined || lastPieceAt <= firstPieceAt) return undefined
  const tokens = Math.max(pieces, answer.usage?.completionTokens ?? 0)
  return ((tokens - 1) * 1000) / (lastPieceAt - firstPieceAt)
}

export function answerStats(answer: LiveAnswer): AnswerStats {
  const waited = answer.firstPieceAt === undefined ? undefined : answer.firstPieceAt - answer.startedAt
  return {
    promptTokens: answer.usage?.promptTokens,
    cachedTokens: answer.usage?.cachedTokens,
    completionTokens: answer.usage?.completionTokens ?? (answer.pieces || undefined),
    tokensPerSecond: tokensPerSecond(answer),
    timeToFirstTokenMs: answer.timings?.timeToFirstTokenMs ?? waited,
  }
}
