import {
  CapacityError,
  ContextLengthError,
  GenerationFailedError,
  validateSessionLength,
  validateTokens,
  type AbortOptions,
  type ChatTemplate,
  type GenerationParams,
  type Model,
  type ModelStatus,
  type Session,
  type SessionOptions,
  type TokenId,
} from '@petals-chat/engine'
import type { LlamaConfig } from './config.ts'
import { LlamaSession } from './session/llama-session.ts'
import type { ReadyMessage } from './protocol.ts'
import type { GgufTokenizer } from './tokenizer/gguf-tokenizer.ts'
import type { ModelWorker } from './worker/model-worker.ts'
import { RequestFailed } from './worker/requests.ts'

export interface LlamaModelOptions {
  readonly id: string
  readonly config: LlamaConfig
  readonly tokenizer: GgufTokenizer
  readonly chatTemplate: ChatTemplate
  readonly generation: GenerationParams
  readonly worker: ModelWorker
  /** Bytes of the weights. */
  readonly fileSize: number
  readonly ready: ReadyMessage
  readonly onSessions: (count: number) => void
  readonly onClose: () => void
}

/** A GGUF model, which runs in its own process. */
export class LlamaModel implements Model {
  readonly id: string
  readonly contextLength: number
  readonly tokenizer: GgufTokenizer
  readonly chatTemplate: ChatTemplate
  readonly generation: GenerationParams
  readonly capabilities = { grammar: true, logprobs: true, promptLogprobs: true, embeddings: true }
  readonly maxSessions: number
  readonly memoryBytes: number
  readonly #options: LlamaModelOptions
  readonly #sessions = new Map<number, LlamaSession>()
  #embeddings = 0

  constructor(options: LlamaModelOptions) {
    this.#options = options
    this.id = options.id
    this.contextLength = options.ready.contextLength
    this.maxSessions = options.ready.sequences
    this.memoryBytes = options.fileSize + options.ready.kvCacheBytes
    this.tokenizer = options.tokenizer
    this.chatTemplate = options.chatTemplate
    this.generation = options.generation
  }

  /** The id of the model's process. */
  get pid(): number | undefined {
    return this.#options.worker.pid
  }

  async openSession({ maxLength, signal }: SessionOptions): Promise<Session> {
    const { worker, onSessions } = this.#options
    signal?.throwIfAborted()
    validateSessionLength(maxLength, this.contextLength)
    await worker.ready({ signal })
    const slot = this.#freeSlot()
    const session: LlamaSession = new LlamaSession({
      model: this,
      worker,
      reclaimSlot: () => this.#reclaimSlot(session),
      slot,
      maxLength,
      onClose: () => {
        const own = this.#slotOf(session)
        if (own !== undefined) this.#sessions.delete(own)
        onSessions(this.#sessions.size)
      },
    })
    this.#sessions.set(slot, session)
    onSessions(this.#sessions.size)
    return session
  }

  #slotOf(session: LlamaSession): number | undefined {
    for (const [slot, holder] of this.#sessions) if (holder === session) return slot
    return undefined
  }

  /** Returns the session's slot, or another one if that was given to another session. @throws CapacityError */
  #reclaimSlot(session: LlamaSession): number {
    const slot = this.#slotOf(session) ?? this.#freeSlot()
    this.#sessions.set(slot, session)
    return slot
  }

  /** Idle sessions whose KV cache was lost with its process give up their slots. @throws CapacityError */
  #freeSlot(): number {
    for (const [slot, session] of this.#sessions) if (session.isAbandoned) this.#sessions.delete(slot)
    for (let slot = 0; slot < this.maxSessions; slot++) if (!this.#sessions.has(slot)) return slot
    throw new CapacityError(
      `All ${this.maxSessions} sessions of the model '${this.id}' are in use. Try again in a moment, or raise llama.sequences.`,
    )
  }

  async embed(tokens: readonly TokenId[], { signal }: AbortOptions = {}): Promise<Float32Array> {
    const { worker, config, ready } = this.#options
    signal?.throwIfAborted()
    validateTokens(tokens, this.tokenizer.vocabSize, 'input')
    if (tokens.length > ready.embeddingLength)
      throw new ContextLengthError(tokens.length, ready.embeddingLength)
    if (this.#embeddings > config.maxQueue) {
      throw new CapacityError(
        `${config.maxQueue} embedding requests are already waiting for the model '${this.id}'. Try again in a moment.`,
      )
    }
    this.#embeddings++
    try {
      const reply = await worker.ask((request) => ({ type: 'embed', request, tokens }), { signal })
      if (reply.type === 'embedding') return reply.vector
      throw new GenerationFailedError("The model's process returned no embedding.")
    } catch (error) {
      if (!(error instanceof RequestFailed)) throw error
      throw new GenerationFailedError(`The model '${this.id}' failed to embed the text: ${error.message}.`, {
        cause: error,
      })
    } finally {
      this.#embeddings--
    }
  }

  async status(): Promise<ModelStatus> {
    return this.#options.worker.status()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { worker, onClose } = this.#options
    await worker[Symbol.asyncDispose]()
    await Promise.all([...this.#sessions.values()].map((session) => session[Symbol.asyncDispose]()))
    onClose()
  }
}
