import type { ChatPart } from '../response/chat-part.ts'
import { doneFrame } from '../response/event-stream.ts'
import { FrameWriter } from '../response/frame-writer.ts'
import { chatLogprobs } from '../response/logprobs.ts'
import { CostTotal } from '../response/usage.ts'
import { newCall } from './chat-json.ts'
import type { ChatJob } from './prepare-chat.ts'
import type { ChatEvent } from './run-chat.ts'

type DeltaEvent = Extract<ChatEvent, { readonly type: 'delta' }>

/** The events of a streamed chat answer: the role, the pieces, the end of every choice, the usage if asked for. */
export async function* chatFrames(
  job: ChatJob,
  events: AsyncIterable<ChatEvent>,
  includeUsage: boolean,
): AsyncGenerator<string, void, undefined> {
  const writer = new FrameWriter(job.head, 'chat.completion.chunk', includeUsage)
  const total = new CostTotal()
  let begun = -1
  for await (const event of events) {
    if (event.type === 'wait') {
      yield* writer.wait(event)
      continue
    }
    const { choice } = event
    if (begun < choice) {
      begun = choice
      yield writer.choice(choiceJson(choice, firstDelta(job, event)))
    }
    if (event.type === 'delta') yield* deltaFrames(job, event, writer)
    else {
      const own = new CostTotal()
      own.add(event.cost, true)
      total.add(event.cost, choice === 0)
      const json = choiceJson(choice, '{}', 'null', event.finishReason)
      yield writer.lastOfChoice(json, own.timings(), event.petals)
    }
  }
  if (includeUsage) yield writer.usage(total.usage())
  yield doneFrame
}

function* deltaFrames(
  job: ChatJob,
  { choice, parts, tokens, petals }: DeltaEvent,
  writer: FrameWriter,
): Generator<string> {
  // Tokens whose text is still held back are reported with the piece that comes first after them.
  let logprobs = job.logprobs && tokens.length > 0 ? logprobsJson(job, tokens) : undefined
  let news = petals
  for (const part of parts) {
    yield writer.choice(choiceJson(choice, deltaJson(part), logprobs), news)
    logprobs = undefined
    news = undefined
  }
  if (logprobs !== undefined || news !== undefined)
    yield writer.choice(choiceJson(choice, isForced(job) ? '{}' : '{"content":""}', logprobs), news)
}

const isForced = ({ reader }: ChatJob): boolean => reader.tools?.forced === true

/** Where calls are all that comes there is no content: strict clients take the empty text for an answer. */
function firstDelta(job: ChatJob, event: ChatEvent): string {
  const isCall = isForced(job) || (event.type === 'delta' && event.parts[0]?.type === 'tool-call')
  return `{"role":"assistant","content":${isCall ? 'null' : '""'},"refusal":null}`
}

const logprobsJson = ({ model }: ChatJob, tokens: DeltaEvent['tokens']): string =>
  JSON.stringify({ content: chatLogprobs(tokens, model.tokenizer), refusal: null })

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

const choiceJson = (index: number, delta: string, logprobs = 'null', finishReason?: string): string =>
  `{"index":${index},"delta":${delta},"logprobs":${logprobs},"finish_reason":${finishReason ? `"${finishReason}"` : 'null'}}`
