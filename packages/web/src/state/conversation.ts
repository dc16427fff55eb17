import { createId, createTime } from '../chat/id.ts'
import { leafOfSibling, leafWithout, pathTo, subtree } from '../chat/message-tree.ts'
import { messageText } from '../chat/prompt.ts'
import { reopenThoughts } from '../chat/reasoning.ts'
import { titleFrom } from '../chat/title.ts'
import type { Attachment, Chat, ChatSettings, Message } from '../chat/types.ts'
import { hasOpenCalls } from '../chat/tool-calls.ts'
import type { AnswerLocks } from './answer-locks.ts'
import type { PlanRequest } from './answer-run.ts'
import type { Answers } from './answers.ts'
import type { ChatTools } from './chat-tools.ts'
import type { ChatsStore } from './chats-store.ts'
import { planRequest, type PlanContext } from './plan-request.ts'

export interface ConversationOptions {
  readonly chats: ChatsStore
  readonly answers: Answers
  readonly locks: AnswerLocks
  readonly planContext: PlanContext
  readonly tools: ChatTools
}

export interface UserInput {
  readonly text: string
  readonly attachments: readonly Attachment[]
  /** Tokens of text and attachments, if they were counted. */
  readonly tokens?: number | undefined
}

/** Servers keep answers for some minutes. An older unfinished answer is resumed only if the reader asks for it. */
const RESUMABLE_MS = 600_000

/** The actions of a reader in a chat. Each changes the tree of messages and requests an answer if one is due. */
export class Conversation {
  readonly #chats: ChatsStore
  readonly #answers: Answers
  readonly #locks: AnswerLocks
  readonly #planContext: PlanContext
  readonly #tools: ChatTools
  /** Message ids of the answers that were requested and have not ended. */
  readonly #asked = new Set<string>()
  /** Message ids of the answers that are shown but not begun: their lock or their chat is still awaited. */
  readonly #waiting = new Set<string>()

  constructor({ chats, answers, locks, planContext, tools }: ConversationOptions) {
    this.#chats = chats
    this.#answers = answers
    this.#locks = locks
    this.#planContext = planContext
    this.#tools = tools
  }

  createChat(
    model: string,
    settings: ChatSettings = {},
    more: Pick<Partial<Chat>, 'title' | 'compared' | 'tools'> = {},
  ): Chat {
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
      ...more,
    }
    this.#chats.create(chat)
    return chat
  }

  /** Adds the reader's message at the end of the shown branch and requests the answer. */
  send(chatId: string, input: UserInput): void {
    const path = pathTo(this.#chats.tree(chatId), this.#chats.chat(chatId)?.leafId ?? null)
    this.#ask(chatId, path.at(-1)?.id ?? null, input)
  }

  /** Adds a new version of one of the reader's messages beside the old one, and requests its answer. */
  edit(chatId: string, messageId: string, input: UserInput): void {
    const message = this.#message(chatId, messageId)
    if (message?.role === 'user') this.#ask(chatId, message.parentId, input)
  }

  /** Requests another version of an answer. */
  regenerate(chatId: string, messageId: string): void {
    const message = this.#message(chatId, messageId)
    if (message?.role === 'assistant') this.#answer(chatId, message.parentId)
  }

  /** Requests the answer that is missing after a user's message (it was deleted). */
  answer(chatId: string, messageId: string): void {
    this.#answer(chatId, messageId)
  }

  /** Requests a failed answer again, in its place; an answer that had begun stays as a separate version. */
  retry(chatId: string, messageId: string): void {
    const message = this.#message(chatId, messageId)
    if (message?.role !== 'assistant') return
    if (message.content || (message.reasoning && !message.rounds)) this.#answer(chatId, message.parentId)
    else this.#start(message)
  }

  /** Continues an answer that was stopped, cut by the length limit, or interrupted. */
  continue(chatId: string, messageId: string): void {
    const message = this.#message(chatId, messageId)
    if (message?.role === 'assistant') this.#start(reopenThoughts(message))
  }

  /** Stops an answer, also one whose request has not been sent. The text so far stays. */
  stop(message: Message): void {
    if (this.#withdraw(message)) void this.#chats.putMessages([{ ...message, status: 'stopped' }])
  }

  /** Shows the version `offset` steps away from a message. */
  showVersion(chatId: string, messageId: string, offset: number): void {
    const leafId = leafOfSibling(this.#chats.tree(chatId), messageId, offset)
    if (leafId !== undefined) this.#chats.updateChat(chatId, { leafId })
  }

  /** Deletes a message and all that follows it, in every branch. Returns the function that undoes that. */
  deleteBranch(chatId: string, messageId: string): () => void {
    const tree = this.#chats.tree(chatId)
    const before = pathTo(tree, messageId)
    const leafBefore = this.#chats.chat(chatId)?.leafId ?? null
    const ids = subtree(tree, messageId)
    for (const id of ids) this.#withdraw({ id, position: tree.messages.get(id)?.position })
    const restore = this.#chats.removeMessages(chatId, ids)
    this.#chats.updateChat(chatId, { leafId: leafWithout(tree, messageId) })
    return () => {
      // Without its chat a message could never be shown or deleted.
      if (!this.#chats.chat(chatId)) return
      restore()
      // The messages before may have been deleted since: they are restored too.
      const { messages } = this.#chats.tree(chatId)
      void this.#chats.putMessages(before.filter(({ id }) => !messages.has(id)))
      const shown = pathTo(this.#chats.tree(chatId), this.#chats.chat(chatId)?.leafId ?? null)
      if (!shown.some(({ id }) => id === messageId)) this.#chats.updateChat(chatId, { leafId: leafBefore })
    }
  }

  /** Deletes a chat and stops its running answers. Returns the function that undoes that. */
  async deleteChat(chatId: string): Promise<() => void> {
    await this.#chats.open(chatId)
    for (const message of this.#chats.tree(chatId).messages.values())
      if (message.status === 'streaming') this.#withdraw(message)
    return this.#chats.remove(chatId)
  }

  /** Resumes an answer that a page left unfinished. An answer that was left long ago is only marked as interrupted. */
  async resume(message: Message): Promise<void> {
    if (this.#answers.isReceiving(message.id)) return
    this.#answers.drop(message.id)
    // A call waits for the reader, however long that takes.
    const isAtCalls = hasOpenCalls(message.calls)
    const isFresh = isAtCalls || Date.now() - (message.savedAt ?? message.createdAt) < RESUMABLE_MS
    const canGoOn = isAtCalls || message.position !== undefined || !message.content
    if (!isFresh || !canGoOn || !this.#chats.chat(message.chatId))
      return this.#chats.putMessages([{ ...message, status: 'interrupted', position: undefined }])
    this.#waiting.add(message.id)
    await this.#chats.open(message.chatId)
    await this.#begin(message)
  }

  #message(chatId: string, messageId: string): Message | undefined {
    return this.#chats.tree(chatId).messages.get(messageId)
  }

  #ask(chatId: string, parentId: string | null, { text, attachments, tokens }: UserInput): void {
    const chat = this.#chats.chat(chatId)
    if (!chat) return
    const message: Message = {
      id: createId(),
      chatId,
      parentId,
      role: 'user',
      content: text,
      attachments: attachments.length > 0 ? attachments : undefined,
      createdAt: createTime(),
      status: 'done',
      tokens,
    }
    void this.#chats.putMessages([message])
    if (!chat.titledByUser && parentId === null) {
      this.#chats.updateChat(chatId, { title: titleFrom(text) || attachments[0]?.name || '' })
    }
    this.#answer(chatId, message.id)
  }

  #answer(chatId: string, parentId: string | null): void {
    this.#start({
      id: createId(),
      chatId,
      parentId,
      role: 'assistant',
      content: '',
      createdAt: createTime(),
      status: 'streaming',
    })
  }

  #start(message: Message): void {
    const chat = this.#chats.chat(message.chatId)
    if (!chat || this.#asked.has(message.id)) return
    const { systemPrompt: _, ...sampling } = chat.settings
    const started: Message = {
      ...message,
      model: chat.model,
      sampling,
      status: 'streaming',
      error: undefined,
      position: undefined,
    }
    // Other tabs learn of the answer once this tab has its lock: from then on they wait to take over.
    this.#chats.show([started])
    this.#chats.updateChat(chat.id, { leafId: message.id, updatedAt: Date.now() })
    this.#asked.add(message.id)
    this.#waiting.add(message.id)
    void this.#locks
      .hold(message.id, () => this.#begin(started))
      .finally(() => this.#asked.delete(message.id))
      .then(() => this.#countQuestion(started))
  }

  /** Writes an answer that was waiting, unless it was stopped meanwhile. */
  async #begin(message: Message): Promise<void> {
    if (this.#waiting.delete(message.id)) await this.#answers.start(message, this.#planFor(message))
  }

  /** Stops an answer. Returns true if it had not begun: then its message is still marked as streaming. */
  #withdraw(message: Pick<Message, 'id' | 'position'>): boolean {
    this.#answers.stop(message)
    return this.#waiting.delete(message.id)
  }

  /** Counts the tokens of the question if the draft was sent before they were counted. The model is loaded by now. */
  async #countQuestion({ chatId, parentId, model = '' }: Message): Promise<void> {
    const question = parentId === null ? undefined : this.#message(chatId, parentId)
    if (question?.role !== 'user' || question.tokens !== undefined) return
    const request = { model, prompt: messageText(question), add_special_tokens: false }
    const counted = await this.#planContext.countTokens(request).catch(() => undefined)
    const current = this.#message(chatId, question.id)
    if (counted && current) void this.#chats.putMessages([{ ...current, tokens: counted.tokens }])
  }

  /** Builds each request at the moment it is sent, from the chat as it is then. */
  #planFor({ id, chatId, parentId, model = '' }: Message): PlanRequest {
    return async (answer, options) => {
      const tree = this.#chats.tree(chatId)
      const message = tree.messages.get(id)
      const continueLast = message !== undefined && answer.content !== ''
      const before = parentId === null ? [] : pathTo(tree, parentId)
      const { content, reasoning, rounds } = answer
      const hasBegun = message !== undefined && (continueLast || rounds.length > 0)
      const path = hasBegun ? [...before, { ...message, content, reasoning, rounds, calls: [] }] : before
      const settings = this.#chats.chat(chatId)?.settings ?? {}
      const tools = await this.#tools.offered(chatId, model, rounds.length)
      return planRequest(this.#planContext, { model, settings, path, continueLast, tools }, options)
    }
  }
}
