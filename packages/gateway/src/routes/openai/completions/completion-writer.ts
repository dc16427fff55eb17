import type { ScoredText } from '../../../generation/completion/scored-text.ts'
import { choiceJson } from '../response/answer-frames.ts'
import type { DeltaEvent, EndEvent } from '../../../generation/answer/answer-job.ts'
import type { ChoiceWriter } from '../response/openai-form.ts'
import type { FrameWriter } from '../response/frame-writer.ts'
import { characterCount, completionLogprobs } from '../response/logprobs.ts'
import type {
  CompletionJob,
  CompletionTypes,
} from '../../../generation/completion/completion-choice-reader.ts'

/** The events of a streamed completion: for every choice the pieces and the end. */
export class CompletionWriter implements ChoiceWriter<CompletionTypes> {
  readonly #job: CompletionJob
  /** Characters of the choice so far. */
  #length = 0

  constructor(job: CompletionJob) {
    this.#job = job
  }

  *frames(
    event: DeltaEvent<CompletionTypes> | EndEvent<CompletionTypes>,
    writer: FrameWriter,
  ): Generator<string> {
    if (event.type === 'end') return
    const { index, delta, petals } = event
    const withLogprobs = this.#job.logprobs
    const logprobs = withLogprobs ? JSON.stringify(this.#logprobs(delta)) : 'null'
    this.#length += characterCount(delta.text)
    if (delta.text !== '' || withLogprobs || petals)
      yield writer.choice(choiceJson(index, textJson(delta.text), logprobs), petals)
  }

  last({ index, finishReason }: EndEvent<CompletionTypes>): string {
    this.#length = 0
    return choiceJson(index, textJson(''), 'null', finishReason)
  }

  #logprobs(delta: ScoredText) {
    return completionLogprobs(delta, this.#length)
  }
}

const textJson = (text: string): string => `"text":${JSON.stringify(text)}`
