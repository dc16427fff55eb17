import {
  generateText,
  type AbortOptions,
  type ChatMessage,
  type GenerationEndEvent,
  type GenerationEvent,
  isRemoteModel,
  type Model,
  type SamplingParams,
  type ServedModel,
  type Session,
  type WaitOptions,
} from '@petals-chat/engine'
import { remoteAnswer } from './remote-answer.ts'

export interface ConversationOptions {
  readonly system?: string | undefined
  readonly sampling: SamplingParams
  /** Maximum length of an answer in tokens. */
  readonly maxNewTokens: number
  /** Maximum length of a session that the model's entry allows, in tokens. */
  readonly maxSessionLength?: number | undefined
}

/** One dialogue with one model, without HTTP. Its session keeps the KV cache from turn to turn. */
export class Conversation implements AsyncDisposable {
  readonly #model: ServedModel
  readonly #options: ConversationOptions
  #messages: ChatMessage[] = []
  #session: Session | undefined

  constructor(model: ServedModel, options: ConversationOptions) {
    this.#model = model
    this.#options = options
    this.clear()
  }

  /** Drops all turns; the system prompt stays. */
  clear(): void {
    const { system } = this.#options
    this.#messages = system === undefined ? [] : [{ role: 'system', content: system }]
  }

  /**
   * Yields the answer to a message in pieces of text. The text of an answer that the signal stopped stays in the dialogue;
   * a message that can't be answered is dropped. @throws EngineError
   */
  async *answer(
    content: string,
    { signal, onWait }: AbortOptions & WaitOptions = {},
  ): AsyncGenerator<string, GenerationEndEvent | undefined> {
    const messages: readonly ChatMessage[] = [...this.#messages, { role: 'user', content }]
    let answer = ''
    try {
      for await (const event of this.#generate(messages, { onWait, signal })) {
        if (event.type === 'generation-end') return event
        answer += event.text
        yield event.text
      }
    } catch (error) {
      if (!signal?.aborted) throw error
    } finally {
      if (answer !== '') this.#messages = [...messages, { role: 'assistant', content: answer }]
    }
    return undefined
  }

  async *#generate(
    messages: readonly ChatMessage[],
    { signal, onWait }: AbortOptions & WaitOptions,
  ): AsyncGenerator<GenerationEvent, void, undefined> {
    const { sampling, maxNewTokens } = this.#options
    const model = this.#model
    if (isRemoteModel(model)) return yield* remoteAnswer(model, { messages, sampling, maxNewTokens, signal })
    const { chatTemplate, tokenizer } = model
    const tokens = tokenizer.encode(chatTemplate.render(messages), {
      addSpecialTokens: !chatTemplate.writesBos,
    })
    const session = await this.#openSession(model, signal)
    const request = { tokens, sampling, stop: chatTemplate.stopSequences, maxNewTokens, onWait, signal }
    yield* generateText(model, session, request)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.[Symbol.asyncDispose]()
    this.#session = undefined
  }

  async #openSession(model: Model, signal: AbortSignal | undefined): Promise<Session> {
    const { contextLength } = model
    const maxLength = Math.min(contextLength, this.#options.maxSessionLength ?? contextLength)
    this.#session ??= await model.openSession({ maxLength, signal })
    return this.#session
  }
}
