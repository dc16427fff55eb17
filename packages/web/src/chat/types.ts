import type { AnswerPosition } from '../api/answer-chunk.ts'
import type { ApiErrorKind } from '../api/errors.ts'
import type { RouteReport } from '../api/route-report.ts'

export type Role = 'user' | 'assistant'

/** A text or code file, or a long paste, that goes into the prompt with its message. */
export interface Attachment {
  readonly id: string
  readonly name: string
  readonly text: string
  /** What it was read in, where that was not UTF-8. */
  readonly encoding?: string | undefined
}

/**
 * `streaming`: being written, by this tab or another one. `stopped`: by the reader. `length`: cut at the token limit.
 * `interrupted`: the connection or the tab went away; what came is kept. `error`: nothing more will come, see `error`.
 */
export type MessageStatus = 'streaming' | 'done' | 'stopped' | 'length' | 'interrupted' | 'error'

export interface MessageError {
  readonly kind: ApiErrorKind
  /** The server's words; empty where the page's own text says it all. */
  readonly message: string
  readonly requestId?: string | undefined
}

export interface AnswerStats {
  readonly promptTokens?: number | undefined
  readonly cachedTokens?: number | undefined
  /** Of the whole answer, also where several requests wrote it. */
  readonly completionTokens?: number | undefined
  /** Prompt and answer together: what is used of the model's context. */
  readonly contextTokens?: number | undefined
  readonly tokensPerSecond?: number | undefined
  readonly timeToFirstTokenMs?: number | undefined
}

/** What a model was not shown, because the chat is longer than its context. */
export interface LeftOut {
  /** Messages at the beginning of the chat. */
  readonly messages: number
  /** The first message that it saw. */
  readonly firstSeenId: string
  /** The beginning of the answer, too, which was continued: it fills the context by itself. */
  readonly partOfAnswer?: boolean | undefined
}

/** One node of a chat's tree: its children are what was said next, in as many versions as there are. */
export interface Message {
  readonly id: string
  readonly chatId: string
  /** The message before; null for a first message. */
  readonly parentId: string | null
  readonly role: Role
  readonly content: string
  readonly reasoning?: string | undefined
  readonly attachments?: readonly Attachment[] | undefined
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly status: MessageStatus
  /** Id of the model that answered. */
  readonly model?: string | undefined
  readonly error?: MessageError | undefined
  readonly stats?: AnswerStats | undefined
  /** Tokens of a reader's message by itself, where they were counted. */
  readonly tokens?: number | undefined
  /** What the answer was made with. */
  readonly sampling?: SamplingSettings | undefined
  readonly leftOut?: LeftOut | undefined
  readonly route?: RouteReport | undefined
  /** While it is written: where to go on after a reload. Belongs to exactly this content. */
  readonly position?: AnswerPosition | undefined
  /** When an answer was last saved, in milliseconds since 1970. */
  readonly savedAt?: number | undefined
}

/** How tokens are chosen. A field that is left out is the model's own. */
export interface SamplingSettings {
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly topK?: number | undefined
  readonly minP?: number | undefined
  readonly repetitionPenalty?: number | undefined
  readonly maxTokens?: number | undefined
  readonly seed?: number | undefined
  readonly stop?: readonly string[] | undefined
}

/** What a chat asks of the model beyond its defaults. A field that is left out is the model's own. */
export interface ChatSettings extends SamplingSettings {
  readonly systemPrompt?: string | undefined
}

export interface Chat {
  readonly id: string
  readonly title: string
  /** A title that a person wrote is never replaced. */
  readonly titledByUser: boolean
  readonly createdAt: number
  readonly updatedAt: number
  readonly pinned: boolean
  readonly model: string
  readonly settings: ChatSettings
  /** The end of the branch that is shown; null for a chat without messages. */
  readonly leafId: string | null
  /** The side that it is of the comparison. Such a chat is not in the list. */
  readonly compared?: Side | undefined
}

/** The two sides of a comparison. */
export const sides = ['a', 'b'] as const
export type Side = (typeof sides)[number]

/** Id of the draft of the next message to both sides of the comparison. */
export const BOTH_SIDES = 'compare'

/** Id of the draft of the next new chat; drafts of other chats have the chat's id. */
export const NEW_CHAT = 'new'

/** What a reader was writing, and has not sent. */
export interface Draft {
  readonly id: string
  readonly text: string
  readonly attachments: readonly Attachment[]
  /** Of a chat that is not there yet. */
  readonly settings?: ChatSettings | undefined
  /** The chat that it goes with, where that isn't its id. */
  readonly chatId?: string | undefined
  /** The editor of the message is open. */
  readonly open?: boolean | undefined
  /** The fields of the settings as they were left. */
  readonly form?: Readonly<Record<string, string>> | undefined
}
