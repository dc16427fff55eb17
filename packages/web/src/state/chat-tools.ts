import type { RequestTool } from '../api/chat-request.ts'
import { ApiError } from '../api/errors.ts'
import type { ToolClient, ToolInfo, ToolResult } from '../api/tools.ts'
import type { OfferedTools } from '../chat/prompt.ts'
import type { ChatsStore } from './chats-store.ts'
import type { KnownTool, ToolsStore } from './tools-store.ts'

export interface ChatToolsOptions {
  readonly chats: ChatsStore
  readonly tools: ToolsStore
  readonly call: ToolClient['call']
}

/** The tools that are on in each chat, and what the reader has consented to there. */
export class ChatTools {
  readonly #chats: ChatsStore
  readonly #tools: ToolsStore
  readonly #call: ToolClient['call']

  constructor({ chats, tools, call }: ChatToolsOptions) {
    this.#chats = chats
    this.#tools = tools
    this.#call = call
  }

  /** Returns the tools for a request of a chat, after `rounds` rounds of calls. Undefined if none is on. */
  async offered(chatId: string, model: string, rounds: number): Promise<OfferedTools | undefined> {
    const names = this.#chats.chat(chatId)?.tools ?? []
    if (names.length === 0 && rounds === 0) return undefined
    await this.#tools.known(names)
    const unsupported = this.#tools.get().modelsWithoutTools.has(model)
    const found = unsupported ? [] : names.flatMap((name) => this.#tools.find(name) ?? [])
    return {
      definitions: found.map(({ tool }) => definitionOf(tool)),
      exhausted: rounds >= this.maxRounds,
      unsupported,
    }
  }

  /** How often a model may call tools for one answer. */
  get maxRounds(): number {
    return this.#tools.get().limits?.maxRounds ?? Infinity
  }

  /** How long a call may take, in seconds. */
  get timeoutSeconds(): number {
    return this.#tools.get().limits?.timeoutSeconds ?? Infinity
  }

  /** Returns a tool that is on in a chat, once the tools are known. */
  async find(chatId: string, name: string): Promise<KnownTool | undefined> {
    await this.#tools.known([])
    const isOn = this.#chats.chat(chatId)?.tools?.includes(name) ?? false
    return isOn ? this.#tools.find(name) : undefined
  }

  /** Reports whether the reader is to be asked: before the first call of each tool, and before each that may change things. */
  needsConsent(chatId: string, tool: ToolInfo): boolean {
    return !tool.readOnly || !(this.#chats.chat(chatId)?.allowedTools?.includes(consentKey(tool)) ?? false)
  }

  /** Further calls of this tool need no consent in this chat, while the tool stays as it is. */
  allow(chatId: string, tool: ToolInfo): void {
    const allowed = this.#chats.chat(chatId)?.allowedTools ?? []
    const others = allowed.filter((key) => key.split('@')[0] !== tool.name)
    this.#chats.updateChat(chatId, { allowedTools: [...others, consentKey(tool)] })
  }

  /**
   * Runs a tool, if it still is what the page knows. Otherwise learns what it is now: the next call asks again.
   * @throws ApiError, or the reason of the signal
   */
  async call(
    { name, version }: ToolInfo,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<ToolResult> {
    try {
      return await this.#call({ name, arguments: args, version }, signal)
    } catch (cause) {
      if (cause instanceof ApiError && cause.details.code === 'tool_changed') await this.#tools.refresh()
      throw cause
    }
  }
}

/** Consent is for a tool as it was shown. Names have no @; chats of earlier versions kept the name alone, and ask again. */
function consentKey({ name, version = '' }: ToolInfo): string {
  return `${name}@${version}`
}

function definitionOf({ name, description, inputSchema }: ToolInfo): RequestTool {
  return { type: 'function', function: { name, description, parameters: inputSchema } }
}
