import { doneFrame } from '../response/event-stream.ts'
import { FrameWriter } from '../response/frame-writer.ts'
import { characterCount, completionLogprobs } from '../response/logprobs.ts'
import { CostTotal } from '../response/usage.ts'
import type { CompletionJob } from './prepare-completion.ts'
import type { CompletionEvent } from './run-completion.ts'

/** The events of a streamed completion: the pieces, the end of every choice, the usage if asked for. */
export async function* completionFrames(
  job: CompletionJob,
  events: AsyncIterable<CompletionEvent>,
  includeUsage: boolean,
): AsyncGenerator<string, void, undefined> {
  const withLogprobs = job.options.topLogprobs !== undefined
  const writer = new FrameWriter(job.head, 'text_completion', includeUsage)
  const total = new CostTotal()
  let length = 0
  for await (const event of events) {
    if (event.type === 'wait') {
      yield* writer.wait(event)
      continue
    }
    const { index } = event
    if (event.type === 'delta') {
      const logprobs = withLogprobs
        ? JSON.stringify(completionLogprobs(event, length, job.model.tokenizer))
        : 'null'
      length += characterCount(event.text)
      if (event.text !== '' || withLogprobs || event.petals)
        yield writer.choice(choiceJson(index, event.text, logprobs), event.petals)
      continue
    }
    const own = new CostTotal()
    own.add(event.cost, true)
    total.add(event.cost, event.isFirstOfPrompt)
    length = 0
    const json = choiceJson(index, '', 'null', event.finishReason)
    yield writer.lastOfChoice(json, own.timings(), event.petals)
  }
  if (includeUsage) yield writer.usage(total.usage())
  yield doneFrame
}

const choiceJson = (index: number, text: string, logprobs: string, finishReason?: string): string =>
  `{"index":${index},"text":${JSON.stringify(text)},"logprobs":${logprobs},"finish_reason":${finishReason ? `"${finishReason}"` : 'null'}}`
