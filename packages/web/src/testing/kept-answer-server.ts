import type { AnswerChunk, ToolCallPart } from '../api/answer-chunk.ts'
import type { AnswerClient, AnswerStreamOptions } from '../api/answer-client.ts'
import type { ChatRequest } from '../api/chat-request.ts'
import { ApiError, type ApiErrorDetails } from '../api/errors.ts'

export interface Script {
  /** Words of the answer; each is a chunk. */
  readonly words: readonly string[]
  /** Calls of tools after the words; each part is a chunk. */
  readonly calls?: readonly ToolCallPart[]
  readonly finishReason?: 'stop' | 'length' | 'tool_calls'
  /** Cuts the connection after these numbers of words, once for each entry. */
  readonly cuts?: number[]
  /** Fails with this error instead of answering. */
  readonly error?: ApiErrorDetails
  /** Fails with this error after the words. */
  readonly errorAtEnd?: ApiErrorDetails
  readonly beforeHeaders?: Promise<void>
  /** Waits before each word. */
  readonly pace?: () => Promise<void>
}

/**
 * A fake of a server that keeps its answers: an answer continues while clients disconnect and return. Requests use
 * the scripts in turn.
 */
export class KeptAnswerServer implements AnswerClient {
  readonly requests: ChatRequest[] = []
  readonly resumedAfter: string[] = []
  readonly cancelled: string[] = []
  readonly forgotten: string[] = []
  keeps = true
  readonly #scripts: Script[]
  readonly #answers = new Map<string, Script>()

  constructor(...scripts: Script[]) {
    this.#scripts = scripts
  }

  restart(): void {
    this.#answers.clear()
  }

  async *request(request: ChatRequest, options: AnswerStreamOptions): AsyncGenerator<AnswerChunk> {
    const number = this.requests.push(request)
    const script = this.#scripts[number - 1]
    if (!script) throw new Error('The test has no script for this request.')
    await script.beforeHeaders
    if (script.error) throw new ApiError(script.error)
    const id = `ans_${number}`
    if (this.keeps) this.#answers.set(id, script)
    options.onOpen?.(this.keeps ? id : undefined)
    yield* this.#read(id, script, 0, options.signal)
  }

  async *resume(
    { answerId, eventId }: { answerId: string; eventId: string },
    options: AnswerStreamOptions,
  ): AsyncGenerator<AnswerChunk> {
    this.resumedAfter.push(eventId)
    const script = this.#answers.get(answerId)
    if (!script)
      throw new ApiError({ kind: 'unavailable', message: 'Gone.', code: 'answer_gone', status: 404 })
    options.onOpen?.(answerId)
    yield* this.#read(answerId, script, Number(eventId.split(':')[1]), options.signal)
  }

  cancel(answerId: string): Promise<void> {
    this.cancelled.push(answerId)
    return Promise.resolve()
  }

  forget(answerId: string): Promise<void> {
    this.forgotten.push(answerId)
    this.#answers.delete(answerId)
    return Promise.resolve()
  }

  async *#read(
    id: string,
    {
      words,
      calls = [],
      cuts = [],
      errorAtEnd,
      finishReason = calls.length > 0 ? 'tool_calls' : 'stop',
      pace,
    }: Script,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<AnswerChunk> {
    const events: AnswerChunk[] = [
      ...words.map((text) => ({ text, reasoning: '' })),
      ...calls.map((part) => ({ text: '', reasoning: '', calls: [part] })),
      { text: '', reasoning: '', finishReason },
      {
        text: '',
        reasoning: '',
        usage: { promptTokens: 10, cachedTokens: 0, completionTokens: words.length + calls.length },
      },
    ]
    for (const [index, chunk] of events.entries()) {
      if (index < after) continue
      await pace?.()
      if (signal.aborted || cuts[0] === index) {
        if (!signal.aborted) cuts.shift()
        throw new ApiError({ kind: 'network', message: '' })
      }
      if (errorAtEnd && index === words.length) throw new ApiError(errorAtEnd)
      const position = this.keeps ? { answerId: id, eventId: `${id}:${index + 1}` } : undefined
      yield { ...chunk, position }
    }
  }
}
