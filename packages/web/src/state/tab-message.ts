import type { AnswerPosition, AnswerTimings, AnswerUsage } from '../api/answer-chunk.ts'
import type {
  Failover,
  PrecisionChange,
  RouteHop,
  RouteReport,
  StandIn,
  SwarmPeer,
  SwarmWait,
} from '../api/route-report.ts'
import { isRecord } from '../api/read-json.ts'
import type { LiveAnswer, PendingRetry } from '../chat/live-answer.ts'
import { callStates, type ToolCall, type ToolRound } from '../chat/tool-calls.ts'
import {
  sides,
  type AnswerStats,
  type Attachment,
  type Chat,
  type ChatSettings,
  type Draft,
  type LeftOut,
  type Message,
  type MessageError,
} from '../chat/types.ts'
import type { AnswersChange } from './answers.ts'
import type { ChatsChange } from './chats-store.ts'
import type { DraftChange } from './drafts-store.ts'
import {
  isBoolean,
  isNumber,
  isString,
  listOf,
  nullable,
  oneOf,
  optional,
  recordOf,
  shapeOf,
  type Check,
} from './shapes.ts'

/** A message between tabs. */
export type TabMessage = ChatsChange | AnswersChange | DraftChange | SessionChange

/** The reader signed in or out in another tab. */
export interface SessionChange {
  readonly type: 'session'
}

const number = optional(isNumber)
const string = optional(isString)

const isSettings = shapeOf<ChatSettings>({
  systemPrompt: string,
  temperature: number,
  topP: number,
  topK: number,
  minP: number,
  repetitionPenalty: number,
  maxTokens: number,
  seed: number,
  stop: optional(listOf(isString)),
})

const isAttachment = shapeOf<Attachment>({ id: isString, name: isString, text: isString, encoding: string })

const isChat = shapeOf<Chat>({
  id: isString,
  title: isString,
  titledByUser: isBoolean,
  createdAt: isNumber,
  updatedAt: isNumber,
  pinned: isBoolean,
  model: isString,
  settings: isSettings,
  tools: optional(listOf(isString)),
  allowedTools: optional(listOf(isString)),
  leafId: nullable(isString),
  compared: optional(oneOf(...sides)),
})

const peer = { peer: isString, publicName: string } satisfies Record<keyof SwarmPeer, Check>
const span = { start: isNumber, end: isNumber }

const isRoute = shapeOf<RouteReport>({
  hops: listOf(
    shapeOf<RouteHop>({ ...peer, ...span, stepMs: number, standby: optional(shapeOf<SwarmPeer>(peer)) }),
  ),
  failovers: listOf(
    shapeOf<Failover>({
      ...peer,
      ...span,
      reason: isString,
      pauseMs: isNumber,
      replacedBy: listOf(shapeOf<SwarmPeer>(peer)),
      wrongFrom: number,
      byStandby: optional(isBoolean),
      precision: optional(
        shapeOf<PrecisionChange>({ before: isString, after: isString, position: isNumber }),
      ),
    }),
  ),
  pushed: isBoolean,
  tokensPerStep: number,
})

const isLeftOut = shapeOf<LeftOut>({
  messages: isNumber,
  firstSeenId: isString,
  partOfAnswer: optional(isBoolean),
})
const isPosition = shapeOf<AnswerPosition>({ answerId: isString, eventId: isString })

const isCall = shapeOf<ToolCall>({
  id: isString,
  name: isString,
  arguments: isString,
  state: oneOf(...callStates),
  title: string,
  server: string,
  readOnly: optional(isBoolean),
  startedAt: number,
  elapsedMs: number,
  result: string,
  truncated: optional(isBoolean),
})
const isRound = shapeOf<ToolRound>({
  content: isString,
  reasoning: string,
  calls: listOf(isCall),
  limit: number,
})

const isStandIn = shapeOf<StandIn>({ model: isString, reason: isString })

const isMessage = shapeOf<Message>({
  id: isString,
  chatId: isString,
  parentId: nullable(isString),
  role: oneOf('user', 'assistant'),
  content: isString,
  reasoning: string,
  rounds: optional(listOf(isRound)),
  calls: optional(listOf(isCall)),
  attachments: optional(listOf(isAttachment)),
  createdAt: isNumber,
  status: oneOf('streaming', 'done', 'stopped', 'length', 'interrupted', 'error'),
  model: string,
  error: optional(
    shapeOf<MessageError>({ kind: isString, message: isString, requestId: string, retryAt: number }),
  ),
  stats: optional(
    shapeOf<AnswerStats>({
      promptTokens: number,
      cachedTokens: number,
      completionTokens: number,
      contextTokens: number,
      tokensPerSecond: number,
      timeToFirstTokenMs: number,
    }),
  ),
  tokens: number,
  sampling: optional(isSettings),
  leftOut: optional(isLeftOut),
  route: optional(isRoute),
  standIn: optional(isStandIn),
  position: optional(isPosition),
  savedAt: number,
})

const isLiveAnswer = shapeOf<LiveAnswer>({
  messageId: isString,
  chatId: isString,
  content: isString,
  reasoning: isString,
  rounds: listOf(isRound),
  calls: listOf(isCall),
  position: optional(isPosition),
  pieces: isNumber,
  earlierTokens: isNumber,
  startedAt: isNumber,
  firstPieceAt: number,
  lastPieceAt: number,
  rateFrom: optional(shapeOf<{ at: number; pieces: number }>({ at: isNumber, pieces: isNumber })),
  catchUpUntil: isNumber,
  finishReason: optional(oneOf('stop', 'length', 'tool_calls')),
  usage: optional(
    shapeOf<AnswerUsage>({ promptTokens: number, cachedTokens: number, completionTokens: number }),
  ),
  timings: optional(shapeOf<AnswerTimings>({ timeToFirstTokenMs: number, tokensPerSecond: number })),
  route: optional(isRoute),
  standIn: optional(isStandIn),
  place: number,
  leftOut: optional(isLeftOut),
  waiting: optional(
    shapeOf<SwarmWait>({
      blocks: listOf(shapeOf<SwarmWait['blocks'][number]>({ start: isNumber, end: isNumber })),
      since: isNumber,
      until: isNumber,
    }),
  ),
  retry: optional(
    shapeOf<PendingRetry>({ reason: oneOf('network', 'capacity', 'rate-limit'), at: isNumber }),
  ),
})

const isDraft = shapeOf<Draft>({
  id: isString,
  text: isString,
  attachments: listOf(isAttachment),
  settings: optional(isSettings),
  tools: optional(listOf(isString)),
  chatId: string,
  open: optional(isBoolean),
  form: optional(recordOf(isString)),
})

type Fields<Type extends TabMessage['type']> = Omit<Extract<TabMessage, { readonly type: Type }>, 'type'>

const checks: { readonly [Type in TabMessage['type']]: Check } = {
  chats: shapeOf<Fields<'chats'>>({ chats: listOf(isChat) }),
  messages: shapeOf<Fields<'messages'>>({ messages: listOf(isMessage) }),
  'messages-removed': shapeOf<Fields<'messages-removed'>>({ chatId: isString, ids: listOf(isString) }),
  removed: shapeOf<Fields<'removed'>>({ chatId: isString }),
  live: shapeOf<Fields<'live'>>({ answer: isLiveAnswer }),
  stop: shapeOf<Fields<'stop'>>({ messageId: isString }),
  consent: shapeOf<Fields<'consent'>>({
    messageId: isString,
    callId: isString,
    decision: oneOf('allow', 'allow-chat', 'decline'),
  }),
  draft: shapeOf<Fields<'draft'>>({ draft: isDraft }),
  session: () => true,
}

/**
 * Parses a message of another tab, which may run another version of the page; undefined if this version does not understand
 * it. The same change is in the database and appears with the next reload.
 */
export function parseTabMessage(value: unknown): TabMessage | undefined {
  if (!isRecord(value)) return undefined
  const { type } = value
  const known = typeof type === 'string' && Object.hasOwn(checks, type)
  return known && checks[type as TabMessage['type']](value) ? (value as unknown as TabMessage) : undefined
}
