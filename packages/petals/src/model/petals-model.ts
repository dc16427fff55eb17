import {
  ModelUnavailableError,
  TokenGrammars,
  validateSessionLength,
  type AbortOptions,
  type ChatTemplate,
  type GenerationParams,
  type Logger,
  type Model,
  type ModelCapabilities,
  type ModelStatus,
  type PlannedSession,
  type Session,
  type SessionOptions,
  type SessionRoom,
  type Tokenizer,
} from '@petals-chat/engine'
import { leastSessionLength } from '../inference/session-length.ts'
import type { LocalLayers } from '../layers/local-layers.ts'
import type { ModelTokenizer } from '../layers/tokenizer.ts'
import { PetalsSession } from '../session/petals-session.ts'
import type { SpeculationOptions } from '../session/speculation.ts'
import type { RemoteModel } from './remote-model.ts'
import { modelStatus } from '../swarm/model-status.ts'

export interface PetalsModelOptions extends ModelTokenizer {
  readonly id: string
  readonly contextLength: number
  readonly layers: LocalLayers
  readonly remote: RemoteModel
  readonly logger: Logger
  /** Log the servers of a session at level info instead of debug. */
  readonly showRoute: boolean
  readonly speculation: SpeculationOptions
  /** Closed with the model. */
  readonly draftModel?: (AsyncDisposable & { readonly memoryBytes: number }) | undefined
  readonly onClose: () => void
}

/** A model whose blocks run on the swarm's servers. */
export class PetalsModel implements Model {
  readonly id: string
  readonly contextLength: number
  readonly tokenizer: Tokenizer
  readonly chatTemplate: ChatTemplate
  readonly generation: GenerationParams
  readonly capabilities: ModelCapabilities = {
    grammar: true,
    logprobs: true,
    promptLogprobs: true,
    embeddings: false,
  }
  readonly memoryBytes: number
  readonly room: SessionRoom
  readonly #options: PetalsModelOptions
  readonly #grammars: TokenGrammars
  readonly #sessions = new Set<PetalsSession>()
  #closed = false

  constructor(options: PetalsModelOptions) {
    this.#options = options
    this.id = options.id
    this.contextLength = options.contextLength
    this.memoryBytes = options.layers.localMemoryBytes + (options.draftModel?.memoryBytes ?? 0)
    this.tokenizer = options.tokenizer
    this.chatTemplate = options.chatTemplate
    this.generation = options.generation
    this.#grammars = new TokenGrammars(options)
    const { remote } = options
    const tokensOf = ({ promptLength, maxLength }: PlannedSession): number =>
      leastSessionLength(promptLength, maxLength)
    this.room = {
      // Sessions that have not begun will take room, too.
      has: (session, count) =>
        count <= 0 || remote.sessionsThatFit(tokensOf(session)) >= count + this.#unbegun,
      look: (session, lookOptions) => remote.askRoom(tokensOf(session), lookOptions),
    }
  }

  get #unbegun(): number {
    return [...this.#sessions].filter((session) => !session.hasBegun).length
  }

  async openSession({ maxLength, signal, logger, makeRoom }: SessionOptions): Promise<Session> {
    signal?.throwIfAborted()
    if (this.#closed) throw unloaded(this.id)
    validateSessionLength(maxLength, this.contextLength)
    const { layers, remote, showRoute, speculation } = this.#options
    const sessionLogger = logger ?? this.#options.logger
    const inferenceLogger = showRoute ? sessionLogger : withoutInfo(sessionLogger)
    const session: PetalsSession = new PetalsSession({
      model: this,
      maxLength,
      layers,
      grammars: this.#grammars,
      inference: remote.openSession({ maxLength, logger: inferenceLogger, makeRoom }),
      decodeMs: (peer) => remote.decodeMs(peer),
      speculation,
      onClose: () => this.#sessions.delete(session),
    })
    this.#sessions.add(session)
    return session
  }

  async status(options: AbortOptions = {}): Promise<ModelStatus> {
    options.signal?.throwIfAborted()
    return this.#closed
      ? { state: 'unavailable', detail: unloaded(this.id).message }
      : modelStatus(this.#options.remote)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#options.onClose()
    await Promise.all([...this.#sessions].map((session) => session[Symbol.asyncDispose]()))
    await this.#options.draftModel?.[Symbol.asyncDispose]()
    await this.#options.layers[Symbol.asyncDispose]()
  }
}

const unloaded = (id: string): ModelUnavailableError =>
  new ModelUnavailableError(`The model '${id}' was unloaded. Send the request again to load it.`)

const withoutInfo = (logger: Logger): Logger => ({
  debug: (fields, message) => logger.debug(fields, message),
  info: (fields, message) => logger.debug(fields, message),
  warn: (fields, message) => logger.warn(fields, message),
  error: (fields, message) => logger.error(fields, message),
  child: (bindings) => withoutInfo(logger.child(bindings)),
})
