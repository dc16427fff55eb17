import { choiceJson } from '../response/answer-frames.ts'
import type { DeltaEvent, EndEvent } from '../../../generation/answer/answer-job.ts'
import type { ChoiceWriter } from '../response/openai-form.ts'
import type { ChatPart } from '../../../generation/chat/chat-part.ts'
import type { FrameWriter } from '../response/frame-writer.ts'
import { chatLogprobs } from '../response/logprobs.ts'
import type { ChatDelta, ChatJob, ChatTypes } from '../../../generation/chat/chat-choice-reader.ts'
import { newCall } from './chat-draft.ts'

/** The events of a streamed chat answer: for every choice the role, the pieces and the end. */
export class ChatWriter implements ChoiceWriter<ChatTypes> {
  readonly #job: ChatJob
  #begun = -1

  constructor(job: ChatJob) {
    this.#job = job
  }

  *frames(event: DeltaEvent<ChatTypes> | EndEvent<ChatTypes>, writer: FrameWriter): Generator<string> {
    if (this.#begun < event.index) {
      this.#begun = event.index
      yield writer.choice(choiceJson(event.index, firstDelta(this.#job, event)))
    }
    if (event.type === 'delta') yield* deltaFrames(this.#job, event, writer)
  }

  last({ index, finishReason }: EndEvent<ChatTypes>): string {
    return choiceJson(index, '"delta":{}', 'null', finishReason)
  }
}

function* deltaFrames(
  job: ChatJob,
  { index, delta: { parts, tokens }, petals }: DeltaEvent<ChatTypes>,
  writer: FrameWriter,
): Generator<string> {
  // Tokens whose text is still held back are reported with the piece that comes first after them.
  let logprobs = job.logprobs && tokens.length > 0 ? logprobsJson(tokens) : undefined
  let news = petals
  for (const part of parts) {
    yield writer.choice(choiceJson(index, `"delta":${deltaJson(part)}`, logprobs), news)
    logprobs = undefined
    news = undefined
  }
  if (logprobs !== undefined || news !== undefined) {
    const empty = isForced(job) ? '{}' : '{"content":""}'
    yield writer.choice(choiceJson(index, `"delta":${empty}`, logprobs), news)
  }
}

const isForced = ({ reader }: ChatJob): boolean => reader.tools?.forced === true

/** An answer of nothing but calls has null as content: strict clients read the empty text as an answer. */
function firstDelta(job: ChatJob, event: DeltaEvent<ChatTypes> | EndEvent<ChatTypes>): string {
  const isCall = isForced(job) || (event.type === 'delta' && event.delta.parts[0]?.type === 'tool-call')
  return `"delta":{"role":"assistant","content":${isCall ? 'null' : '""'},"refusal":null}`
}

const logprobsJson = (tokens: ChatDelta['tokens']): string =>
  JSON.stringify({ content: chatLogprobs(tokens), refusal: null })

function deltaJson(part: ChatPart): string {
  switch (part.type) {
    case 'content':
      return `{"content":${JSON.stringify(part.text)}}`
    case 'reasoning':
      return `{"reasoning_content":${JSON.stringify(part.text)}}`
    case 'tool-call':
      return JSON.stringify({ tool_calls: [{ index: part.index, ...newCall(part) }] })
    case 'tool-arguments':
      return `{"tool_calls":[{"index":${part.index},"function":{"arguments":${JSON.stringify(part.text)}}}]}`
  }
}
