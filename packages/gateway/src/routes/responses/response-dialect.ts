import type { ResponseBody, ResponseEvent, ResponseRequest } from '@petals-chat/api'
import type { KeptResponse } from '../../answers/kept-response.ts'
import { type ErrorDescription, openAIErrorBody } from '../../error-response.ts'
import type { AnswerEvent } from '../../generation/answer/answer-job.ts'
import { leaveAnswer } from '../../generation/answer/leave-answer.ts'
import type { AnswerDialect } from '../../generation/answer/respond-with-answer.ts'
import type { ChatJob, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import { commentFrame } from '../../generation/stream/event-stream.ts'
import { ResponseWriter } from './response-writer.ts'
import type { RoundEvent } from './mcp/answer-rounds.ts'
import type { ToolTable } from './tool-table.ts'

export interface ResponseDialectOptions {
  readonly request: ResponseRequest
  readonly tools: ToolTable
  /** The first round drops the events of the job (`rounds`). */
  readonly asksLater: boolean
  /** The events of the whole response; those of the job are its first round. */
  rounds(job: ChatJob, events: AsyncIterable<AnswerEvent<ChatTypes>>): AsyncIterable<RoundEvent>
  /** Keeps the response, if it is to be kept. */
  keep(body: ResponseWriter['body']): KeptResponse | undefined
  /** Makes a response that has failed unreachable. */
  forget(kept: KeptResponse): void
}

export interface ResponseDialect extends AnswerDialect<ChatJob, ChatTypes> {
  /** Writes the answer without a reader. `ended` never rejects. */
  background(
    job: ChatJob,
    events: AsyncIterable<AnswerEvent<ChatTypes>>,
    describe: (error: unknown) => ErrorDescription,
  ): Promise<{
    readonly begun: ResponseBody
    readonly kept: KeptResponse | undefined
    readonly ended: Promise<void>
  }>
}

/** Writes an answer in the form of the Responses API: see https://platform.openai.com/docs/api-reference/responses-streaming. */
export function responseDialect(options: ResponseDialectOptions): ResponseDialect {
  const { request, tools, asksLater, rounds, keep, forget } = options
  let writer: ResponseWriter | undefined
  let kept: KeptResponse | undefined
  /** If it can't be kept, the answer ends here: a remote model may have begun it. */
  const begin = async (
    job: ChatJob,
    events: AsyncIterable<AnswerEvent<ChatTypes>>,
  ): Promise<ResponseWriter> => {
    try {
      const begun = new ResponseWriter(job, request, tools)
      kept = keep(begun.body)
      return (writer = begun)
    } catch (error) {
      await leaveAnswer(events)
      throw error
    }
  }
  return {
    asksLater,
    async body(job, events) {
      const response = await begin(job, events)
      try {
        for await (const _event of response.events(rounds(job, events)));
      } catch (error) {
        kept?.end(response.abandoned)
        if (kept !== undefined) forget(kept)
        throw error
      }
      kept?.end(response.body)
      return response.body
    },
    async *frames(job, events) {
      const response = await begin(job, events)
      try {
        for await (const event of response.events(rounds(job, events)))
          yield typeof event === 'string' ? commentFrame(event) : eventFrame(event)
        kept?.end(response.body)
      } finally {
        if (kept?.isRunning) kept.end(response.abandoned)
      }
    },
    waiting: ({ notice: { comment } }) => (comment === undefined ? [] : [commentFrame(comment)]),
    async background(job, events, describe) {
      const response = await begin(job, events)
      const run = async (): Promise<void> => {
        try {
          for await (const event of response.events(rounds(job, events)))
            if (typeof event !== 'string') kept?.write(eventFrame(event))
        } catch (error) {
          for (const event of response.failed(describe(error))) kept?.write(eventFrame(event))
        }
        kept?.end(response.body)
      }
      const begun = response.body
      return { begun, kept, ended: run() }
    },
    stream: {
      pingFrame: ': ping\n\n',
      errorFrame(description) {
        const events = writer?.failed(description) ?? [errorEvent(openAIErrorBody(description))]
        if (writer !== undefined) kept?.end(writer.body)
        return events.map(eventFrame).join('')
      },
    },
  }
}

/** An event as the stream has it. */
export const eventFrame = (event: ResponseEvent): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

/** The only event of an answer that failed before it began. */
export const errorEvent = ({ error }: ReturnType<typeof openAIErrorBody>): ResponseEvent => {
  const { code, message, param } = error
  return { type: 'error', sequence_number: 0, code, message, param, error }
}
