import { doneFrame } from '../../../generation/stream/event-stream.ts'
import { FrameWriter } from './frame-writer.ts'
import { responseHead } from './head.ts'
import type { OpenAIForm } from './openai-form.ts'
import { CostTotal } from './usage.ts'
import type { AnswerEvent, AnswerJob, AnswerTypes } from '../../../generation/answer/answer-job.ts'

/** A streamed answer: the pieces and the end of every choice, then the usage if the request asked for it. */
export async function* answerFrames<Job extends AnswerJob<Types>, Types extends AnswerTypes>(
  job: Job,
  form: OpenAIForm<Job, Types>,
  events: AsyncIterable<AnswerEvent<Types>>,
  includeUsage: boolean,
): AsyncGenerator<string, void, undefined> {
  const writer = new FrameWriter(responseHead(form.idPrefix, job.head), form.object.event, includeUsage)
  const choices = form.writer(job)
  const total = new CostTotal()
  for await (const event of events) {
    if (event.type === 'wait') {
      yield* writer.wait(event)
      continue
    }
    // `yield*` would make an asynchronous iterator of it, with more promises for each frame.
    for (const frame of choices.frames(event, writer)) yield frame
    if (event.type === 'delta') continue
    const own = new CostTotal()
    own.add(event.cost, true)
    total.add(event.cost, event.isFirstOfPrompt)
    yield writer.lastOfChoice(choices.last(event), own.timings(), event.petals)
  }
  if (includeUsage) yield writer.usage(total.usage())
  yield doneFrame
}

/** A choice of one event as JSON; `content`: its fields between `index` and `logprobs`. */
export const choiceJson = (
  index: number,
  content: string,
  logprobs = 'null',
  finishReason?: string,
): string =>
  `{"index":${index},${content},"logprobs":${logprobs},"finish_reason":${finishReason ? `"${finishReason}"` : 'null'}}`
