import type { ChatJob, ChatTypes } from '../../../generation/chat/chat-choice-reader.ts'
import type { OpenAIForm } from '../response/openai-form.ts'
import { ChatDraft } from './chat-draft.ts'
import { ChatWriter } from './chat-writer.ts'

/** How chat completions are written. */
export const chatForm: OpenAIForm<ChatJob, ChatTypes> = {
  idPrefix: 'chatcmpl',
  object: { body: 'chat.completion', event: 'chat.completion.chunk' },
  draft: (job) => new ChatDraft(job),
  writer: (job) => new ChatWriter(job),
}
