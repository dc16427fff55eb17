import type { ModelInfo } from '../api/models.ts'
import { createId } from '../chat/id.ts'
import { leafOfSibling, pathTo } from '../chat/message-tree.ts'
import { buildRequest } from '../chat/prompt.ts'
import { titleFrom } from '../chat/title.ts'
import type { Attachment, Chat, ChatSettings, Message } from '../chat/types.ts'
import type { Answers } from './answers.ts'
import type { ChatsStore } from './chats-store.ts'

export interface ConversationOptions {
  readonly chats: ChatsStore
  readonly answers: Answers
  readonly findModel: (id: string) => ModelInfo | undefined
}

export interface UserInput {
  readonly text: string
  readonly attachments: readonly Attachment[]
}

/** What a reader can do in a chat: each action changes the tree of messages and asks for an answer where one is due. */
export class Conversation {
  readonly #chats: ChatsStore
  readonly #answers: Answers
  readonly #findModel: (id: string) => ModelInfo | undefined

  constructor({ chats, answers, findModel }: ConversationOptions) {
    this.#chats = chats
    this.#answers = answers
    this.#findModel = findModel
  }

  createChat(model: string, settings: ChatSettings = {}): Chat {
    const now = Date.now()
    const chat: Chat = {
      id: createId(),
      title: '',
      titledByUser: false,
      createdAt: now,
      updatedAt: now,
      pinned: false,
      model,
      settings,
      leafId: null,
    }
    this.#chats.create(chat)
    return chat
  }

  /** Adds the reader's message at the end of the shown branch and asks for the answer. */
  send(chatId: string, input: UserInput): void {
    const path = this.#path(chatId)
    this.#ask(chatId, path.at(-1)?.id ?? null, input)
  }

  /** A new version of one of the reader's messages, beside the old one, and its answer. */
  edit(chatId: string, messageId: string, input: UserInput): void {
    const message = this.#chats.tree(chatId).messages.get(messageId)
    if (message?.role === 'user') this.#ask(chatId, message.parentId, input)
  }

  /** Another version of an answer. */
  regenerate(chatId: string, messageId: string): void {
    const message = this.#chats.tree(chatId).messages.get(messageId)
    if (message?.role === 'assistant') this.#answer(chatId, message.parentId)
  }

  /** The answer that is missing after a user's message (its request failed, or was deleted). */
  answer(chatId: string, messageId: string): void {
    this.#answer(chatId, messageId)
  }

  /** A failed answer again, in its own place; one that had begun stays as a version of its own. */
  retry(chatId: string, messageId: string): void {
    const message = this.#chats.tree(chatId).messages.get(messageId)
    if (message?.role !== 'assistant') return
    if (message.content || message.reasoning) this.#answer(chatId, message.parentId)
    else this.#start(chatId, message, message.parentId)
  }

  /** Goes on with an answer that was stopped, cut by the length limit, or interrupted. */
  continue(chatId: string, messageId: string): void {
    const message = this.#chats.tree(chatId).messages.get(messageId)
    if (message?.role === 'assistant') this.#start(chatId, message, message.id)
  }

  stop(messageId: string): void {
    this.#answers.stop(messageId)
  }

  /** Shows the version `offset` steps away from a message. */
  showVersion(chatId: string, messageId: string, offset: number): void {
    const leafId = leafOfSibling(this.#chats.tree(chatId), messageId, offset)
    if (leafId !== undefined) this.#chats.updateChat(chatId, { leafId })
  }

  #ask(chatId: string, parentId: string | null, { text, attachments }: UserInput): void {
    const chat = this.#chats.chat(chatId)
    if (!chat) return
    const message: Message = {
      id: createId(),
      chatId,
      parentId,
      role: 'user',
      content: text,
      attachments: attachments.length > 0 ? attachments : undefined,
      createdAt: Date.now(),
      status: 'done',
    }
    this.#chats.putMessages([message])
    if (!chat.titledByUser && parentId === null) {
      this.#chats.updateChat(chatId, { title: titleFrom(text) || attachments[0]?.name || '' })
    }
    this.#answer(chatId, message.id)
  }

  #answer(chatId: string, parentId: string | null): void {
    const message: Message = {
      id: createId(),
      chatId,
      parentId,
      role: 'assistant',
      content: '',
      createdAt: Date.now(),
      status: 'streaming',
    }
    this.#start(chatId, message, parentId)
  }

  /** `lastSeenId`: the last message that the model reads; the answer's own id where it is continued. */
  #start(chatId: string, message: Message, lastSeenId: string | null): void {
    const chat = this.#chats.chat(chatId)
    if (!chat || this.#answers.isRunning(message.id)) return
    const request = buildRequest({
      model: chat.model,
      settings: chat.settings,
      path: lastSeenId === null ? [] : pathTo(this.#chats.tree(chatId), lastSeenId),
      defaultSystemPrompt: this.#findModel(chat.model)?.systemPrompt,
      continueLast: lastSeenId === message.id,
    })
    this.#chats.updateChat(chatId, { leafId: message.id, updatedAt: Date.now() })
    void this.#answers.start(message, request)
  }

  #path(chatId: string): readonly Message[] {
    return pathTo(this.#chats.tree(chatId), this.#chats.chat(chatId)?.leafId ?? null)
  }
}
