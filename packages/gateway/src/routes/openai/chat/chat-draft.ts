import type { ChatChoice, ChatFinishReason, ChatTokenLogprob, ResponseToolCall } from '@petals-chat/api'
import type { ChoiceDraft } from '../response/openai-form.ts'
import type { ChatPart } from '../../../generation/chat/chat-part.ts'
import { chatLogprobs } from '../response/logprobs.ts'
import type { ChatDelta, ChatJob, ChatTypes } from '../../../generation/chat/chat-choice-reader.ts'

/** One choice of a chat answer's body. */
export class ChatDraft implements ChoiceDraft<ChatTypes> {
  readonly #job: ChatJob
  readonly #logprobs: ChatTokenLogprob[] = []
  readonly #calls: ResponseToolCall[] = []
  #content = ''
  #reasoning = ''

  constructor(job: ChatJob) {
    this.#job = job
  }

  add({ parts, tokens }: ChatDelta): void {
    for (const part of parts) this.#addPart(part)
    if (this.#job.logprobs) this.#logprobs.push(...chatLogprobs(tokens))
  }

  #addPart(part: ChatPart): void {
    if (part.type === 'content') this.#content += part.text
    else if (part.type === 'reasoning') this.#reasoning += part.text
    else if (part.type === 'tool-call') this.#calls[part.index] = newCall(part)
    else this.#calls[part.index]!.function.arguments += part.text
  }

  finished(index: number, finishReason: ChatFinishReason): ChatChoice {
    return {
      index,
      message: this.#message(),
      logprobs: this.#job.logprobs ? { content: this.#logprobs, refusal: null } : null,
      finish_reason: finishReason,
    }
  }

  /** A forced answer is nothing but calls: its content is null even if it was cut before the first call. */
  #message(): ChatChoice['message'] {
    const hasCalls = this.#calls.length > 0
    const isForced = this.#job.reader.tools?.forced === true
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
