import type { AbortOptions } from '../abort.ts'
import type { ChatTemplate } from '../chat/chat-template.ts'
import { createDialogueTemplate } from '../chat/dialogue-template.ts'
import { createJinjaChatTemplate } from '../chat/jinja-chat-template.ts'
import type { Model, ModelCapabilities, ModelStatus, Session, SessionOptions } from '../engine.ts'
import { CapacityError, InvalidRequestError, ModelUnavailableError } from '../errors.ts'
import type { GenerationParams, ModelSpec } from '../models/model-spec.ts'
import type { TokenId } from '../tokenizer.ts'
import { validateSessionLength, validateTokens } from '../validation.ts'
import type { ScriptedEngine } from './scripted-engine.ts'
import { endlessLetters, replyContinuation, scriptedLogits, type Continuation } from './scripted-script.ts'
import { ScriptedSession } from './scripted-session.ts'
import { scriptedTokenizer } from './scripted-tokenizer.ts'

const EMBEDDING_SIZE = 32
const turnTemplate =
  '{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}' +
  '{% if add_generation_prompt %}<|assistant|>{% endif %}'

export class ScriptedModel implements Model {
  readonly id: string
  readonly contextLength: number
  readonly tokenizer = scriptedTokenizer
  readonly chatTemplate: ChatTemplate
  readonly capabilities: ModelCapabilities
  readonly generation: GenerationParams | undefined
  readonly maxSessions: number | undefined
  readonly engine: ScriptedEngine
  readonly #sessions = new Set<ScriptedSession>()
  readonly #continuation: Continuation
  #closed = false

  constructor(engine: ScriptedEngine, spec: ModelSpec) {
    const { options } = engine
    this.engine = engine
    this.id = spec.id
    this.contextLength = options.contextLength ?? 2048
    this.maxSessions = options.maxSessions
    this.generation = options.generation
    this.capabilities = {
      grammar: true,
      logprobs: true,
      promptLogprobs: true,
      embeddings: true,
      ...options.capabilities,
    }
    this.chatTemplate = options.chatTemplate ?? defaultTemplate(spec)
    const otherwise = options.continuation ?? endlessLetters
    const [opening, closing] = spec.dialogue
      ? [spec.dialogue.assistantPrefix, spec.dialogue.stopToken]
      : ['<|assistant|>', '<|end|>']
    this.#continuation = options.reply
      ? replyContinuation(
          {
            reply: options.reply,
            opening: scriptedTokenizer.encode(opening),
            closing: scriptedTokenizer.encode(closing),
          },
          otherwise,
        )
      : otherwise
  }

  get openSessions(): number {
    return this.#sessions.size
  }

  async openSession({ maxLength, signal }: SessionOptions): Promise<Session> {
    signal?.throwIfAborted()
    this.#assertOpen()
    validateSessionLength(maxLength, this.contextLength)
    if (this.maxSessions !== undefined && this.#sessions.size >= this.maxSessions) {
      throw new CapacityError(
        `All ${this.maxSessions} sessions of '${this.id}' are in use. Try again in a moment.`,
      )
    }
    const session = new ScriptedSession(this, this.engine.sessionsOpened++, maxLength, () => {
      this.#sessions.delete(session)
    })
    this.#sessions.add(session)
    return session
  }

  async embed(tokens: readonly TokenId[], options: AbortOptions = {}): Promise<Float32Array> {
    options.signal?.throwIfAborted()
    this.#assertOpen()
    if (!this.capabilities.embeddings)
      throw new InvalidRequestError(`The model '${this.id}' gives no embeddings.`)
    validateTokens(tokens, this.tokenizer.vocabSize, 'input')
    const sums = new Float32Array(EMBEDDING_SIZE)
    for (const [position, token] of tokens.entries()) {
      const index = (token * 31 + position) % EMBEDDING_SIZE
      sums[index] = sums[index]! + 1
    }
    const norm = Math.hypot(...sums)
    return sums.map((sum) => sum / norm)
  }

  async status(): Promise<ModelStatus> {
    if (this.#closed) return { state: 'unavailable', detail: 'The model is unloaded.' }
    return this.engine.options.status?.() ?? { state: 'ready' }
  }

  /** Called by sessions: the logits after `tokens`. */
  logits(tokens: readonly TokenId[]): Float64Array {
    return scriptedLogits(tokens, this.#continuation(tokens))
  }

  #assertOpen(): void {
    if (this.#closed) throw new ModelUnavailableError(`The model '${this.id}' is unloaded.`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#sessions].map((session) => session[Symbol.asyncDispose]()))
  }
}

function defaultTemplate({ dialogue }: ModelSpec): ChatTemplate {
  const { controlTexts } = scriptedTokenizer
  if (dialogue) return createDialogueTemplate(dialogue, controlTexts)
  return createJinjaChatTemplate({ template: turnTemplate, bosText: '<s>', eosText: '</s>', controlTexts })
}
