import type {
  ChatChoice,
  ChatResponse,
  ChatTokenLogprob,
  PetalsBody,
  ResponseToolCall,
} from '@petals-chat/api'
import type { ChatPart } from '../response/chat-part.ts'
import { chatLogprobs } from '../response/logprobs.ts'
import { CostTotal } from '../response/usage.ts'
import type { ChatJob } from './prepare-chat.ts'
import type { ChatEvent } from './run-chat.ts'

/** All choices of a job as one answer. A fault in the middle is thrown: there are no short answers. */
export async function collectChat(job: ChatJob, events: AsyncIterable<ChatEvent>): Promise<ChatResponse> {
  const choices: ChatChoice[] = []
  const cost = new CostTotal()
  let petals: PetalsBody | undefined
  const isForced = job.reader.tools?.forced === true
  let draft = new ChoiceDraft()
  for await (const event of events) {
    if (event.type === 'wait') continue
    if (event.type === 'delta') {
      draft.add(event.parts)
      if (job.logprobs) draft.logprobs.push(...chatLogprobs(event.tokens, job.model.tokenizer))
      continue
    }
    cost.add(event.cost, event.choice === 0)
    petals = event.petals
    choices.push({
      index: event.choice,
      message: draft.message(isForced),
      logprobs: job.logprobs ? { content: draft.logprobs, refusal: null } : null,
      finish_reason: event.finishReason,
    })
    draft = new ChoiceDraft()
  }
  return {
    ...job.head,
    object: 'chat.completion',
    choices,
    usage: cost.usage(),
    timings: cost.timings(),
    ...(petals && { petals }),
  }
}

/** One choice as its pieces come. */
class ChoiceDraft {
  readonly logprobs: ChatTokenLogprob[] = []
  readonly #calls: ResponseToolCall[] = []
  #content = ''
  #reasoning = ''

  add(parts: readonly ChatPart[]): void {
    for (const part of parts) {
      if (part.type === 'content') this.#content += part.text
      else if (part.type === 'reasoning') this.#reasoning += part.text
      else if (part.type === 'tool-call') this.#calls[part.index] = newCall(part)
      else this.#calls[part.index]!.function.arguments += part.text
    }
  }

  /** `isForced`: the answer may be nothing but calls, and has no words even if it was cut before the first. */
  message(isForced: boolean): ChatChoice['message'] {
    const hasCalls = this.#calls.length > 0
    return {
      role: 'assistant',
      content: (hasCalls || isForced) && this.#content === '' ? null : this.#content,
      refusal: null,
      annotations: [],
      ...(this.#reasoning !== '' && { reasoning_content: this.#reasoning }),
      ...(hasCalls && { tool_calls: this.#calls }),
    }
  }
}

/** A call that has no arguments yet. */
export const newCall = ({ id, name }: { readonly id: string; readonly name: string }): ResponseToolCall => ({
  id,
  type: 'function',
  function: { name, arguments: '' },
})
