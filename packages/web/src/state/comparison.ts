import { copyBranch, otherSide, sideOf } from '../chat/sides.ts'
import { pathTo } from '../chat/message-tree.ts'
import { sides, type Chat, type ChatSettings, type Message, type Side } from '../chat/types.ts'
import type { ChatsStore } from './chats-store.ts'
import type { Conversation, UserInput } from './conversation.ts'

/** The start of a side. */
export interface SideStart {
  /** Id of the model. */
  readonly model: string
  readonly settings?: ChatSettings
  /** Names of the tools that the model may call. */
  readonly tools?: readonly string[] | undefined
  readonly title?: string
  /** The messages so far. */
  readonly path?: readonly Message[]
}

export type Starts = Readonly<Record<Side, SideStart>>

/**
 * Sends the same messages to two models, or to one with two settings. The sides are chats that the list does not show, so
 * that each has everything a chat has: settings, versions, and answers that survive a reload.
 */
export class Comparison {
  readonly #chats: ChatsStore
  readonly #conversation: Conversation

  constructor({ chats, conversation }: { readonly chats: ChatsStore; readonly conversation: Conversation }) {
    this.#chats = chats
    this.#conversation = conversation
  }

  side(side: Side): Chat | undefined {
    return sideOf(this.#chats.get().chats.values(), side)
  }

  /** Begins a comparison if there is none. */
  ensure(starts: Starts): void {
    for (const side of sides) if (!this.side(side)) this.#create(side, starts[side])
  }

  /**
   * Begins a comparison in place of the previous one. Returns the function that undoes that, or undefined if the previous
   * one had no messages.
   */
  async begin(starts: Starts): Promise<(() => void) | undefined> {
    const before = this.#present()
    for (const side of sides) this.#create(side, starts[side])
    await Promise.all(before.map(({ id }) => this.#chats.open(id)))
    const hadWords = before.some(({ id }) => this.#chats.tree(id).messages.size > 0)
    const restores = await Promise.all(before.map(({ id }) => this.#conversation.deleteChat(id)))
    return hadWords ? () => this.#goBack(() => restores.forEach((restore) => restore())) : undefined
  }

  /** Compares an answer with the answer of another model to the same messages. */
  compareAnswer({ chatId, id, model }: Message, otherModel: string): Promise<(() => void) | undefined> {
    const { settings = {}, tools, title = '', model: ofChat = otherModel } = this.#chats.chat(chatId) ?? {}
    const path = pathTo(this.#chats.tree(chatId), id)
    return this.begin({
      a: { model: model ?? ofChat, settings, tools, title, path },
      b: { model: otherModel, settings, tools, title, path: path.slice(0, -1) },
    })
  }

  send(input: UserInput): void {
    for (const { id } of this.#shown()) this.#conversation.send(id, input)
  }

  stop(): void {
    for (const { id, leafId } of this.#shown()) {
      const last = pathTo(this.#chats.tree(id), leafId).at(-1)
      if (last?.status === 'streaming') this.#conversation.stop(last)
    }
  }

  /**
   * Ends the comparison: this side becomes a chat of the list, the other is deleted. Returns the function that undoes
   * that.
   */
  async keep(side: Side): Promise<() => void> {
    const kept = this.side(side)
    if (!kept) return () => {}
    const other = this.side(otherSide(side))
    this.#chats.updateChat(kept.id, { compared: undefined, updatedAt: Date.now() })
    const restore = other && (await this.#conversation.deleteChat(other.id))
    return () =>
      this.#goBack(() => {
        restore?.()
        this.#chats.updateChat(kept.id, { compared: side })
      })
  }

  #shown(): readonly Chat[] {
    return sides.flatMap((side) => this.side(side) ?? [])
  }

  #present(): readonly Chat[] {
    return [...this.#chats.get().chats.values()].filter(({ compared }) => compared !== undefined)
  }

  /** Restores an earlier comparison in place of the present one. */
  #goBack(restore: () => void): void {
    const present = this.#present()
    restore()
    for (const { id } of present) void this.#conversation.deleteChat(id)
  }

  #create(side: Side, { model, settings = {}, tools, title = '', path = [] }: SideStart): void {
    const { id } = this.#conversation.createChat(model, settings, { compared: side, title, tools })
    const messages = copyBranch(path, id)
    if (messages.length === 0) return
    void this.#chats.putMessages(messages)
    this.#chats.updateChat(id, { leafId: messages.at(-1)!.id })
  }
}
