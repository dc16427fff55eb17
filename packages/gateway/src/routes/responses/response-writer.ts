import type { ResponseBody, ResponseEvent, ResponseRequest, TextLogprob } from '@petals-chat/api'
import { type ErrorDescription, openAIErrorBody } from '../../error-response.ts'
import type { EndEvent } from '../../generation/answer/answer-job.ts'
import type { ChatDelta, ChatJob, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import { chatLogprobs } from '../openai/response/logprobs.ts'
import { responseBegin, responseUsage } from './response-body.ts'
import type { RoundEvent } from './mcp/answer-rounds.ts'
import { ResponseItems, type Unnumbered } from './response-items.ts'
import { wantsLogprobs } from './to-chat-request.ts'
import type { ToolTable } from './tool-table.ts'

type Events = AsyncIterable<RoundEvent>

/** Writes one answer as a response, event by event. */
export class ResponseWriter {
  readonly #withLogprobs: boolean
  readonly #items: ResponseItems
  #body: ResponseBody
  #next = 0
  /** Tokens whose text is still held back. */
  #waiting: ChatDelta['tokens'] = []
  #uncounted = 0
  #reasoningTokens = 0

  constructor(job: ChatJob, request: ResponseRequest, tools: ToolTable) {
    this.#withLogprobs = wantsLogprobs(request)
    this.#items = new ResponseItems(job.head.id, tools)
    this.#body = responseBegin(job, request, tools)
  }

  /** The response as far as it is written. */
  get body(): ResponseBody {
    return { ...this.#body, output: this.#items.items }
  }

  /** The events of the answer. A string is a comment. */
  async *events(events: Events): AsyncGenerator<ResponseEvent | string, void, undefined> {
    for await (const event of events) {
      if (event.type === 'wait') {
        if (event.comment !== undefined) yield event.comment
        continue
      }
      if (this.#next === 0) {
        yield this.#numbered({ type: 'response.created', response: this.body })
        yield this.#numbered({ type: 'response.in_progress', response: this.body })
      }
      const written = this.#written(event)
      for (const each of written) yield this.#numbered(each)
    }
  }

  /** The events of an answer that could not be finished. */
  failed(description: ErrorDescription): readonly ResponseEvent[] {
    const { error } = openAIErrorBody(description)
    const { code, message, param } = error
    const status = code === 'answer_cancelled' ? 'cancelled' : 'failed'
    this.#body = { ...this.#body, status, error: { code: failureCode(description), message } }
    const first = this.#numbered({ type: 'error', code, message, param, error })
    if (this.#next === 1) return [first]
    return [
      first,
      ...[...this.#items.end('incomplete')].map((event) => this.#numbered(event)),
      this.#numbered({ type: 'response.failed', response: this.body }),
    ]
  }

  /** The response if its client does not stay to read it. */
  get abandoned(): ResponseBody {
    return { ...this.#body, status: 'cancelled', output: this.#items.cut }
  }

  #written(event: Exclude<RoundEvent, { type: 'wait' }>): Iterable<Unnumbered> {
    switch (event.type) {
      case 'delta':
        return this.#delta(event.delta)
      case 'end':
        return this.#end(event)
      case 'mcp-list':
        return this.#items.list(event.list)
      case 'mcp-approved':
        return this.#items.approved(event.call)
      case 'mcp-result':
        return this.#items.result(event.callId, event.result)
    }
  }

  *#delta({ parts, tokens, tokenCount = 0 }: ChatDelta): Generator<Unnumbered> {
    this.#waiting = [...this.#waiting, ...tokens]
    this.#uncounted += tokenCount
    for (const part of parts) {
      if (part.type === 'reasoning') this.#reasoningTokens += this.#uncounted
      const logprobs = part.type === 'content' && this.#withLogprobs ? textLogprobs(this.#waiting) : []
      this.#waiting = []
      this.#uncounted = 0
      yield* this.#items.write(part, logprobs)
    }
  }

  *#end({ finishReason, cost }: EndEvent<ChatTypes>): Generator<Unnumbered> {
    const isCut = finishReason === 'length'
    yield* this.#items.end(isCut ? 'incomplete' : 'completed')
    this.#body = {
      ...this.#body,
      status: isCut ? 'incomplete' : 'completed',
      completed_at: isCut ? null : Math.floor(Date.now() / 1000),
      incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
      usage: responseUsage(cost, this.#reasoningTokens),
    }
    yield { type: isCut ? 'response.incomplete' : 'response.completed', response: this.body }
  }

  #numbered(event: Unnumbered): ResponseEvent {
    const { type, ...rest } = event
    return { type, sequence_number: this.#next++, ...rest } as ResponseEvent
  }
}

type FailureCode = NonNullable<ResponseBody['error']>['code']

const failureCode = ({ status }: ErrorDescription): FailureCode =>
  status === 429 ? 'rate_limit_exceeded' : status === 400 ? 'invalid_prompt' : 'server_error'

/** The official types have no null where a token is only a part of a character. */
const textLogprobs = (tokens: ChatDelta['tokens']): readonly TextLogprob[] =>
  chatLogprobs(tokens).map(({ top_logprobs: top, bytes, ...token }) => ({
    ...token,
    bytes: bytes ?? [],
    top_logprobs: top.map((each) => ({ ...each, bytes: each.bytes ?? [] })),
  }))
