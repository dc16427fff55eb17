import { doneFrame } from '../response/event-stream.ts'
import { FrameWriter } from '../response/frame-writer.ts'
import { CostTotal } from '../response/usage.ts'
import type { AnswerJob } from './answer-job.ts'
import type { AnswerEvent, DeltaEvent, EndEvent } from './run-answer.ts'

/** Writes the events of one API's choices. One writer serves one answer. */
export interface ChoiceWriter<Delta, FinishReason> {
  /** `object` of every event. */
  readonly object: string
  /** The frames that an event adds before the last frame of its choice. */
  frames(event: DeltaEvent<Delta> | EndEvent<FinishReason>, writer: FrameWriter): Iterable<string>
  /** The choice in its last frame. */
  last(event: EndEvent<FinishReason>): string
}

/** A streamed answer: the pieces and the end of every choice, then the usage if the request asked for it. */
export async function* answerFrames<Delta, FinishReason>(
  { head }: AnswerJob,
  events: AsyncIterable<AnswerEvent<Delta, FinishReason>>,
  choices: ChoiceWriter<Delta, FinishReason>,
  includeUsage: boolean,
): AsyncGenerator<string, void, undefined> {
  const writer = new FrameWriter(head, choices.object, includeUsage)
  const total = new CostTotal()
  for await (const event of events) {
    if (event.type === 'wait') {
      yield* writer.wait(event)
      continue
    }
    yield* choices.frames(event, writer)
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
