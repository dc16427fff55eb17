import type { AnswerPosition } from '../api/answer-chunk.ts'
import type { ApiErrorKind } from '../api/errors.ts'
import type { RouteReport, StandIn } from '../api/route-report.ts'
import type { ToolCall, ToolRound } from './tool-calls.ts'

export type Role = 'user' | 'assistant'

/** A text or code file, or a long paste, that goes into the prompt with its message. */
export interface Attachment {
  readonly id: string
  readonly name: string
  readonly text: string
  /** The encoding that the file was read in, if it was not UTF-8. */
  readonly encoding?: string | undefined
}

/**
 * `streaming`: being written, by this tab or another. `stopped`: by the reader. `length`: cut at the token limit.
 * `interrupted`: the connection or the tab was lost; the text so far is kept. `error`: it failed, see `error`.
 */
export type MessageStatus = 'streaming' | 'done' | 'stopped' | 'length' | 'interrupted' | 'error'

export interface MessageError {
  readonly kind: ApiErrorKind
  /** The server's message; empty if the page's own text says it all. */
  readonly message: string
  readonly requestId?: string | undefined
  /** From when on another attempt makes sense, in milliseconds since 1970, if the server said so. */
  readonly retryAt?: number | undefined
}

export interface AnswerStats {
  readonly promptTokens?: number | undefined
  readonly cachedTokens?: number | undefined
  /** Tokens of the whole answer, even if several requests wrote it. */
  readonly completionTokens?: number | undefined
  /** Tokens of prompt and answer together: the used part of the model's context. */
  readonly contextTokens?: number | undefined
  readonly tokensPerSecond?: number | undefined
  readonly timeToFirstTokenMs?: number | undefined
}

/** The part of a chat that a model did not see, because the chat is longer than its context. */
export interface LeftOut {
  /** How many messages at the beginning of the chat were left out. */
  readonly messages: number
  /** The first message that it saw. */
  readonly firstSeenId: string
  /** The beginning of the continued answer was left out too: the answer alone fills the context. */
  readonly partOfAnswer?: boolean | undefined
}

/** A node of a chat's tree: its children are the versions of the next message. */
export interface Message {
  readonly id: string
  readonly chatId: string
  /** Id of the message before; null for a first message. */
  readonly parentId: string | null
  readonly role: Role
  readonly content: string
  readonly reasoning?: string | undefined
  /** The parts of an answer before `content`, each with its calls of tools. */
  readonly rounds?: readonly ToolRound[] | undefined
  /** The calls after `content`, until the model goes on with their results. */
  readonly calls?: readonly ToolCall[] | undefined
  readonly attachments?: readonly Attachment[] | undefined
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly status: MessageStatus
  /** Id of the model that was asked. */
  readonly model?: string | undefined
  readonly error?: MessageError | undefined
  readonly stats?: AnswerStats | undefined
  /** Tokens of a reader's message alone, if they were counted. */
  readonly tokens?: number | undefined
  /** The sampling settings of the answer. */
  readonly sampling?: SamplingSettings | undefined
  readonly leftOut?: LeftOut | undefined
  readonly route?: RouteReport | undefined
  /** Another model answered than `model`. */
  readonly standIn?: StandIn | undefined
  /** The position to resume from after a reload, while the answer is being written. Belongs to exactly this content. */
  readonly position?: AnswerPosition | undefined
  /** When an answer was last saved, in milliseconds since 1970. */
  readonly savedAt?: number | undefined
}

/** How tokens are chosen. The model's default applies to a missing field. */
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

/** Settings of a chat that differ from the model's defaults. The model's default applies to a missing field. */
export interface ChatSettings extends SamplingSettings {
  readonly systemPrompt?: string | undefined
}

export interface Chat {
  readonly id: string
  readonly title: string
  /** The reader wrote the title: it is never replaced. */
  readonly titledByUser: boolean
  readonly createdAt: number
  readonly updatedAt: number
  readonly pinned: boolean
  readonly model: string
  readonly settings: ChatSettings
  /** Names of the tools that the model may call. */
  readonly tools?: readonly string[] | undefined
  /** Names of the tools that need no further consent in this chat. */
  readonly allowedTools?: readonly string[] | undefined
  /** The end of the branch that is shown; null for a chat without messages. */
  readonly leafId: string | null
  /** The side of the comparison that this chat is. Such a chat is not in the list. */
  readonly compared?: Side | undefined
}

/** The two sides of a comparison. */
export const sides = ['a', 'b'] as const
export type Side = (typeof sides)[number]

/** Id of the draft of the next message to both sides of the comparison. */
export const BOTH_SIDES = 'compare'

/** Id of the draft of the next new chat; drafts of other chats have the chat's id. */
export const NEW_CHAT = 'new'

/** Unsent input of the reader. */
export interface Draft {
  readonly id: string
  readonly text: string
  readonly attachments: readonly Attachment[]
  /** Settings of a chat that does not exist yet. */
  readonly settings?: ChatSettings | undefined
  /** Names of the tools of a chat that does not exist yet. */
  readonly tools?: readonly string[] | undefined
  /** The chat that the draft belongs to, if that is not its id. */
  readonly chatId?: string | undefined
  /** Whether the editor of the message is open. */
  readonly open?: boolean | undefined
  /** The unsaved fields of the settings. */
  readonly form?: Readonly<Record<string, string>> | undefined
}
