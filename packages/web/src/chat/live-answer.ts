import type {
  AnswerChunk,
  AnswerPosition,
  AnswerTimings,
  AnswerUsage,
  FinishReason,
  ToolCallPart,
} from '../api/answer-chunk.ts'
import type { RouteReport, StandIn, SwarmWait } from '../api/route-report.ts'
import { reopenThoughts } from './reasoning.ts'
import { reopenCalls, type ToolCall, type ToolRound } from './tool-calls.ts'
import type { AnswerStats, LeftOut, Message } from './types.ts'

/** An answer while it is being written. Immutable: every chunk makes a new one. */
export interface LiveAnswer {
  readonly messageId: string
  readonly chatId: string
  readonly content: string
  readonly reasoning: string
  /** The parts before `content`, with their calls of tools. */
  readonly rounds: readonly ToolRound[]
  /** The calls after `content`. */
  readonly calls: readonly ToolCall[]
  /** The position of the stream; belongs to exactly this content. */
  readonly position: AnswerPosition | undefined
  /** Pieces of text that the current request brought: about one per token. */
  readonly pieces: number
  /** Tokens of earlier requests, if the answer needed several. */
  readonly earlierTokens: number
  /** Milliseconds of the page's clock. */
  readonly startedAt: number
  readonly firstPieceAt: number | undefined
  readonly lastPieceAt: number | undefined
  /** The piece from which the speed is measured. */
  readonly rateFrom: { readonly at: number; readonly pieces: number } | undefined
  /** Until then, text arrives that was written while the connection was cut: it says nothing about the speed. */
  readonly catchUpUntil: number
  readonly finishReason: FinishReason | undefined
  readonly usage: AnswerUsage | undefined
  readonly timings: AnswerTimings | undefined
  readonly route: RouteReport | undefined
  readonly leftOut: LeftOut | undefined
  /** No server of the swarm serves some of the blocks at the moment. */
  readonly waiting: SwarmWait | undefined
  /** The place in the queue, from 1. */
  readonly place: number | undefined
  readonly standIn: StandIn | undefined
  /** The previous attempt failed: why, and when the next one is made. */
  readonly retry: PendingRetry | undefined
}

/** After a reconnection, the missed text arrives within this time. */
const CATCH_UP_MS = 300

export interface PendingRetry {
  readonly reason: 'network' | 'capacity' | 'rate-limit'
  /** Milliseconds of the page's clock. */
  readonly at: number
}

/** Returns the live answer that continues `message`. */
export function startAnswer(message: Message, now: number): LiveAnswer {
  const written = message.stats?.completionTokens ?? 0
  return {
    messageId: message.id,
    chatId: message.chatId,
    content: message.content,
    reasoning: message.reasoning ?? '',
    rounds: message.rounds ?? [],
    calls: callsToGoOn(message),
    position: message.position,
    // The text of a resumable stream belongs to the same request.
    pieces: message.position ? written : 0,
    earlierTokens: message.position ? 0 : written,
    startedAt: now,
    firstPieceAt: undefined,
    lastPieceAt: undefined,
    rateFrom: undefined,
    catchUpUntil: 0,
    finishReason: undefined,
    usage: undefined,
    timings: undefined,
    route: message.route,
    leftOut: message.leftOut,
    waiting: undefined,
    place: undefined,
    standIn: message.standIn,
    retry: undefined,
  }
}

/** Half-written calls are of use only with the rest of their stream. */
function callsToGoOn({ calls = [], position }: Message): readonly ToolCall[] {
  return reopenCalls(position ? calls : calls.filter(({ state }) => state !== 'writing'))
}

/** A new request continues where the previous one was cut and could not be resumed. */
export function restartAnswer(answer: LiveAnswer): LiveAnswer {
  return {
    ...reopenThoughts(answer),
    calls: [],
    position: undefined,
    pieces: 0,
    earlierTokens: answer.earlierTokens + answer.pieces,
    firstPieceAt: undefined,
    lastPieceAt: undefined,
    rateFrom: undefined,
    finishReason: undefined,
    waiting: undefined,
    place: undefined,
  }
}

/** The stream was cut and has been resumed at `now`. */
export function resumeAnswer(answer: LiveAnswer, now: number): LiveAnswer {
  return { ...answer, catchUpUntil: now + CATCH_UP_MS }
}

/** Returns the answer after one more chunk, which arrived at `now`. */
export function applyChunk(answer: LiveAnswer, chunk: AnswerChunk, now: number): LiveAnswer {
  const hasText = chunk.text !== '' || chunk.reasoning !== '' || chunk.calls !== undefined
  return {
    ...(hasText ? withPiece(answer, now) : answer),
    content: answer.content + chunk.text,
    reasoning: answer.reasoning + chunk.reasoning,
    calls: (chunk.calls ?? []).reduce(withCallPart, answer.calls),
    position: chunk.position ?? answer.position,
    finishReason: chunk.finishReason ?? answer.finishReason,
    usage: chunk.usage ?? answer.usage,
    timings: chunk.timings ?? answer.timings,
    route: chunk.route ?? answer.route,
    // Text ends a wait, even if the server did not report its end.
    waiting: chunk.waiting === undefined && !hasText ? answer.waiting : (chunk.waiting ?? undefined),
    place: chunk.place === undefined && !hasText ? answer.place : (chunk.place ?? undefined),
    standIn: chunk.standIn ?? answer.standIn,
  }
}

/** Appends a part of a call; the first part of a call has its name. */
function withCallPart(calls: readonly ToolCall[], part: ToolCallPart): readonly ToolCall[] {
  const { index, id, name, arguments: args } = part
  const begun = calls[index]
  const call: ToolCall = begun
    ? { ...begun, name: begun.name || name, arguments: begun.arguments + args }
    : { id: id ?? `call_${index}`, name, arguments: args, state: 'writing' }
  return begun ? calls.with(index, call) : [...calls, call]
}

/** The model has written its calls: the request is over, and nothing can be resumed. */
export function endRequest(answer: LiveAnswer, calls: readonly ToolCall[]): LiveAnswer {
  return {
    ...answer,
    calls,
    position: undefined,
    pieces: 0,
    earlierTokens: answer.earlierTokens + (answer.usage?.completionTokens ?? answer.pieces),
    firstPieceAt: undefined,
    lastPieceAt: undefined,
    rateFrom: undefined,
    finishReason: undefined,
    usage: undefined,
    timings: undefined,
    waiting: undefined,
    place: undefined,
  }
}

/** All calls are settled: the model goes on with their results, at `now`. `limit`: it may call no more. */
export function beginRound(answer: LiveAnswer, now: number, limit?: number): LiveAnswer {
  const { content, reasoning, calls } = answer
  const round = { content, reasoning: reasoning || undefined, calls, limit }
  return {
    ...answer,
    rounds: [...answer.rounds, round],
    content: '',
    reasoning: '',
    calls: [],
    startedAt: now,
  }
}

function withPiece(answer: LiveAnswer, now: number): LiveAnswer {
  return {
    ...answer,
    pieces: answer.pieces + 1,
    firstPieceAt: answer.firstPieceAt ?? now,
    lastPieceAt: now,
    rateFrom:
      answer.rateFrom === undefined || now < answer.catchUpUntil
        ? { at: now, pieces: answer.pieces + 1 }
        : answer.rateFrom,
    retry: undefined,
  }
}

/** Reports whether there is anything to read yet. */
export function hasBegun({ content, reasoning }: Pick<LiveAnswer, 'content' | 'reasoning'>): boolean {
  return content !== '' || reasoning !== ''
}

/** Tokens per second: the server's figure, else counted by the page's clock from the second piece on. */
export function tokensPerSecond(answer: LiveAnswer): number | undefined {
  if (answer.timings?.tokensPerSecond !== undefined) return answer.timings.tokensPerSecond
  const { rateFrom, lastPieceAt, pieces } = answer
  if (!rateFrom || lastPieceAt === undefined || lastPieceAt <= rateFrom.at) return undefined
  return ((pieces - rateFrom.pieces) * 1000) / (lastPieceAt - rateFrom.at)
}

export function answerStats(answer: LiveAnswer): AnswerStats {
  const { usage, firstPieceAt } = answer
  const written = usage?.completionTokens ?? answer.pieces
  const waited = firstPieceAt === undefined ? undefined : firstPieceAt - answer.startedAt
  return {
    promptTokens: usage?.promptTokens,
    cachedTokens: usage?.cachedTokens,
    completionTokens: answer.earlierTokens + written || undefined,
    contextTokens: usage?.promptTokens === undefined ? undefined : usage.promptTokens + written,
    tokensPerSecond: tokensPerSecond(answer),
    timeToFirstTokenMs: answer.timings?.timeToFirstTokenMs ?? waited,
  }
}
