import type { CompletionChoice, CompletionLogprobs, CompletionResponse, PetalsBody } from '@petals-chat/api'
import { characterCount, completionLogprobs } from '../response/logprobs.ts'
import { CostTotal } from '../response/usage.ts'
import type { CompletionJob } from './prepare-completion.ts'
import type { CompletionEvent } from './run-completion.ts'

/** All choices of a job as one answer. A fault in the middle is thrown: there are no short answers. */
export async function collectCompletion(
  job: CompletionJob,
  events: AsyncIterable<CompletionEvent>,
): Promise<CompletionResponse> {
  const withLogprobs = job.options.topLogprobs !== undefined
  const choices: CompletionChoice[] = []
  let petals: PetalsBody | undefined
  const cost = new CostTotal()
  let text = ''
  let length = 0
  let logprobs = emptyLogprobs()
  for await (const event of events) {
    if (event.type === 'wait') continue
    if (event.type === 'delta') {
      if (withLogprobs) append(logprobs, completionLogprobs(event, length, job.model.tokenizer))
      text += event.text
      length += characterCount(event.text)
      continue
    }
    cost.add(event.cost, event.isFirstOfPrompt)
    petals = event.petals
    const { index, finishReason } = event
    choices.push({ index, text, logprobs: withLogprobs ? logprobs : null, finish_reason: finishReason })
    text = ''
    length = 0
    logprobs = emptyLogprobs()
  }
  return {
    ...job.head,
    object: 'text_completion',
    choices,
    usage: cost.usage(),
    timings: cost.timings(),
    ...(petals && { petals }),
  }
}

const emptyLogprobs = (): CompletionLogprobs => ({
  tokens: [],
  token_logprobs: [],
  top_logprobs: [],
  text_offset: [],
})

function append(all: CompletionLogprobs, more: CompletionLogprobs): void {
  all.tokens.push(...more.tokens)
  all.token_logprobs.push(...more.token_logprobs)
  all.top_logprobs?.push(...(more.top_logprobs ?? []))
  all.text_offset.push(...more.text_offset)
}
