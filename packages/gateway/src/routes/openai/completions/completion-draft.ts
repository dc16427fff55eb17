import type { CompletionChoice, CompletionLogprobs } from '@petals-chat/api'
import type { ChoiceDraft } from '../response/openai-form.ts'
import type { ScoredText } from '../../../generation/completion/scored-text.ts'
import { characterCount, completionLogprobs } from '../response/logprobs.ts'
import type {
  CompletionJob,
  CompletionTypes,
} from '../../../generation/completion/completion-choice-reader.ts'

/** One choice of a completion's body. */
export class CompletionDraft implements ChoiceDraft<CompletionTypes> {
  readonly #logprobs: CompletionLogprobs | null
  #text = ''
  /** Characters of `#text`. */
  #length = 0

  constructor(job: CompletionJob) {
    this.#logprobs = !job.logprobs
      ? null
      : { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
  }

  add(delta: ScoredText): void {
    if (this.#logprobs) append(this.#logprobs, completionLogprobs(delta, this.#length))
    this.#text += delta.text
    this.#length += characterCount(delta.text)
  }

  finished(index: number, finishReason: CompletionChoice['finish_reason']): CompletionChoice {
    return { index, text: this.#text, logprobs: this.#logprobs, finish_reason: finishReason }
  }
}

function append(all: CompletionLogprobs, more: CompletionLogprobs): void {
  all.tokens.push(...more.tokens)
  all.token_logprobs.push(...more.token_logprobs)
  all.top_logprobs?.push(...(more.top_logprobs ?? []))
  all.text_offset.push(...more.text_offset)
}
