import { ApiError } from '../api/errors.ts'
import { serverName, type ToolInfo, type ToolResult } from '../api/tools.ts'
import { isSettled, parseArguments, type ToolCall } from '../chat/tool-calls.ts'
import type { ChatTools } from './chat-tools.ts'
import type { KnownTool } from './tools-store.ts'

/** The reader’s answer to a request for consent. `allow-chat`: also for further calls of this tool in this chat. */
export type ConsentDecision = 'allow' | 'allow-chat' | 'decline'

export interface ToolRoundOptions {
  readonly chatId: string
  readonly calls: readonly ToolCall[]
  /** How many rounds the answer had before. */
  readonly rounds: number
  readonly tools: ChatTools
  readonly onChange: (calls: readonly ToolCall[]) => void
  readonly signal: AbortSignal
}

/** More calls at once are a mistake of the model. */
const MAX_CALLS = 16
/** Calls of an answer that run at once: a browser opens six connections to a server. */
const MAX_RUNNING = 2
/** The server stops a call in time; this is for a server that does not answer at all. */
const GRACE_SECONDS = 10

/** Runs the calls that a model has written: asks for consent, one call after the other, and runs what is allowed at once. */
export class ToolRoundRun {
  readonly #options: ToolRoundOptions
  #calls: readonly ToolCall[]
  #free = MAX_RUNNING
  readonly #queue: (() => void)[] = []
  #asked: { readonly id: string; readonly decide: (decision: ConsentDecision) => void } | undefined

  constructor(options: ToolRoundOptions) {
    this.#options = options
    this.#calls = options.calls
  }

  /** Resolves when all calls are settled. Never rejects; stays pending when it is stopped. */
  async run(): Promise<void> {
    const running: Promise<void>[] = []
    for (const [index, call] of this.#calls.entries()) {
      if (isSettled(call)) continue
      const problem = this.#boundsProblem(index)
      const known = await this.#options.tools.find(this.#options.chatId, call.name)
      if (this.#options.signal.aborted) return
      const args = parseArguments(call.arguments)
      if (problem !== undefined) this.#fail(index, problem)
      else if (!known) this.#fail(index, `There is no tool named ${JSON.stringify(call.name)}.`)
      else if (!args) this.#fail(index, 'The arguments are not a JSON object. Write the call again.')
      else if (await this.#consentTo(index, call, known)) running.push(this.#send(index, known.tool, args))
      else this.#set(index, { state: 'denied' })
    }
    await Promise.all(running)
  }

  /** Takes the reader’s decision about the call that it asks for. */
  decide(callId: string, decision: ConsentDecision): void {
    if (this.#asked?.id === callId) this.#asked.decide(decision)
  }

  #boundsProblem(index: number): string | undefined {
    const { rounds, tools } = this.#options
    if (rounds >= tools.maxRounds) return 'The limit of rounds of calls is reached. Answer in words.'
    if (index >= MAX_CALLS) return `Only ${MAX_CALLS} calls are possible at once.`
    return undefined
  }

  async #consentTo(index: number, { id }: ToolCall, { tool, server }: KnownTool): Promise<boolean> {
    const { chatId, tools } = this.#options
    const { readOnly, title } = tool
    this.#set(index, { title, server: serverName(server), readOnly, state: 'waiting' })
    if (!tools.needsConsent(chatId, tool)) return true
    const { promise, resolve } = Promise.withResolvers<ConsentDecision>()
    this.#asked = { id, decide: resolve }
    this.#set(index, { state: 'asking' })
    const decision = await promise
    this.#asked = undefined
    if (decision === 'allow-chat' && readOnly) tools.allow(chatId, tool)
    return decision !== 'decline'
  }

  async #send(index: number, tool: ToolInfo, args: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#enter()
    const startedAt = Date.now()
    this.#set(index, { state: 'running', startedAt })
    const { tools, signal } = this.#options
    const seconds = tools.timeoutSeconds + GRACE_SECONDS
    const late = new AbortController()
    const timer = Number.isFinite(seconds) ? setTimeout(() => late.abort(), seconds * 1000) : undefined
    try {
      const both = AbortSignal.any([signal, late.signal])
      this.#finish(index, startedAt, await tools.call(tool, args, both))
    } catch (cause) {
      const text = late.signal.aborted ? `The call took longer than ${seconds} s.` : problemOf(cause)
      this.#finish(index, startedAt, { text, isError: true, truncated: false })
    } finally {
      clearTimeout(timer)
      this.#leave()
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#queue.push(resolve))
  }

  #leave(): void {
    const next = this.#queue.shift()
    if (next) next()
    else this.#free += 1
  }

  #finish(index: number, startedAt: number, { text, isError, truncated }: ToolResult): void {
    const elapsedMs = Date.now() - startedAt
    this.#set(index, {
      state: isError ? 'failed' : 'done',
      result: text,
      truncated: truncated || undefined,
      elapsedMs,
    })
  }

  #fail(index: number, result: string): void {
    this.#set(index, { state: 'failed', result })
  }

  /** By its place: chats that were kept or imported may repeat an id. */
  #set(index: number, changes: Partial<ToolCall>): void {
    if (this.#options.signal.aborted) return
    this.#calls = this.#calls.map((call, place) => (place === index ? { ...call, ...changes } : call))
    this.#options.onChange(this.#calls)
  }
}

/** Says to the model and the reader why a call brought no result. */
function problemOf(cause: unknown): string {
  const message = cause instanceof ApiError ? cause.details.message : ''
  return message || 'The connection to the server broke during the call. It may have been done.'
}
