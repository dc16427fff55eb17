import type {
  Failover,
  PrecisionChange,
  RouteHop,
  RouteReport,
  StandIn,
  SwarmPeer,
} from '../api/route-report.ts'
import {
  readBoolean,
  readFields,
  readList,
  readNumber,
  readOneOf,
  readString,
  type Reader,
  type Readers,
} from './read-fields.ts'
import { numberFields } from './settings-form.ts'
import type { ToolCall, ToolRound } from './tool-calls.ts'
import type {
  AnswerStats,
  Attachment,
  ChatSettings,
  LeftOut,
  Message,
  MessageError,
  SamplingSettings,
} from './types.ts'

const peer: Readers<SwarmPeer> = { peer: readString, publicName: readString }
const span = { start: readNumber, end: readNumber }
const readPeer = readFields<SwarmPeer>(peer, ['peer'])

const readHop = readFields<RouteHop>({ ...peer, ...span, stepMs: readNumber, standby: readPeer }, [
  'peer',
  'start',
  'end',
])

const readPrecision = readFields<PrecisionChange>(
  { before: readString, after: readString, position: readNumber },
  ['before', 'after', 'position'],
)

const readFailover = readFields<Failover>(
  {
    ...peer,
    ...span,
    reason: readString,
    pauseMs: readNumber,
    replacedBy: readList(readPeer),
    wrongFrom: readNumber,
    byStandby: readBoolean,
    precision: readPrecision,
  },
  ['peer', 'start', 'end', 'reason', 'pauseMs', 'replacedBy'],
)

const readRoute = readFields<RouteReport>(
  {
    hops: readList(readHop),
    failovers: readList(readFailover),
    pushed: readBoolean,
    tokensPerStep: readNumber,
  },
  ['hops', 'failovers', 'pushed'],
)

const readStandIn = readFields<StandIn>({ model: readString, reason: readString }, ['model', 'reason'])

const readStats = readFields<AnswerStats>({
  promptTokens: readNumber,
  cachedTokens: readNumber,
  completionTokens: readNumber,
  contextTokens: readNumber,
  tokensPerSecond: readNumber,
  timeToFirstTokenMs: readNumber,
})

const readAttachment = readFields<Attachment>(
  { id: readString, name: readString, text: readString, encoding: readString },
  ['id', 'name', 'text'],
)

const readError = readFields<MessageError>(
  {
    kind: readOneOf(
      'network',
      'context-length',
      'capacity',
      'rate-limit',
      'signed-out',
      'forbidden',
      'unavailable',
      'too-large',
      'refused',
      'server',
    ),
    message: readString,
    requestId: readString,
    retryAt: readNumber,
  },
  ['kind', 'message'],
)

const readLeftOut = readFields<LeftOut>(
  { messages: readNumber, firstSeenId: readString, partOfAnswer: readBoolean },
  ['messages', 'firstSeenId'],
)

/** Reads a number that the server accepts: any other would make every answer of the chat fail. */
const inRange = (key: keyof SamplingSettings): Reader<number> => {
  const field = numberFields.find((other) => other.key === key)
  return (value) => {
    const number = readNumber(value)
    const fits = number !== undefined && field && number >= field.min && number <= field.max
    return fits && (!field.whole || Number.isInteger(number)) ? number : undefined
  }
}

const sampling: Readers<SamplingSettings> = {
  temperature: inRange('temperature'),
  topP: inRange('topP'),
  topK: inRange('topK'),
  minP: inRange('minP'),
  repetitionPenalty: inRange('repetitionPenalty'),
  maxTokens: inRange('maxTokens'),
  seed: inRange('seed'),
  stop: readList(readString),
}
const readSampling = readFields<SamplingSettings>(sampling)
/** Reads the settings of a chat or a preset from a file; drops invalid fields. */
export const readChatSettings = readFields<ChatSettings>({ ...sampling, systemPrompt: readString })

const readCall = readFields<ToolCall>(
  {
    id: readString,
    name: readString,
    arguments: readString,
    // A call that had not ended when it was exported is not run elsewhere unasked.
    state: (value) => readOneOf('done', 'failed', 'denied', 'stopped')(value) ?? 'stopped',
    title: readString,
    server: readString,
    readOnly: readBoolean,
    startedAt: readNumber,
    elapsedMs: readNumber,
    result: readString,
    truncated: readBoolean,
  },
  ['id', 'name', 'arguments', 'state'],
)
const readRound = readFields<ToolRound>(
  { content: readString, reasoning: readString, calls: readList(readCall), limit: readNumber },
  ['content', 'calls'],
)

const dropped: Reader<never> = () => undefined

/** Reads a message from a file and assigns it to `chatId`, whichever chat it names. */
export function readMessage(value: unknown, chatId: string): Message | undefined {
  const message = readFields<Message>(
    {
      id: readString,
      chatId: () => chatId,
      parentId: readString,
      role: readOneOf('user', 'assistant'),
      content: readString,
      reasoning: readString,
      rounds: readList(readRound),
      calls: readList(readCall),
      attachments: readList(readAttachment),
      createdAt: readNumber,
      // An answer that was unfinished when it was exported can't be resumed.
      status: readOneOf('done', 'stopped', 'length', 'interrupted', 'error'),
      model: readString,
      error: readError,
      stats: readStats,
      tokens: readNumber,
      sampling: readSampling,
      leftOut: readLeftOut,
      route: readRoute,
      standIn: readStandIn,
      // They mean something only to that server at that moment.
      position: dropped,
      savedAt: dropped,
    },
    ['id', 'role'],
  )(value)
  if (!message?.id) return undefined
  // Fields that every message has, even one from another version of the page or written by hand.
  const { parentId = null, content = '', createdAt = 0, status = 'interrupted' } = message as Partial<Message>
  return {
    ...message,
    chatId,
    parentId,
    content,
    createdAt,
    status: status === 'error' && !message.error ? 'interrupted' : status,
  }
}
