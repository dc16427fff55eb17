import type {
  CompletionJob,
  CompletionTypes,
} from '../../../generation/completion/completion-choice-reader.ts'
import type { OpenAIForm } from '../response/openai-form.ts'
import { CompletionDraft } from './completion-draft.ts'
import { CompletionWriter } from './completion-writer.ts'

/** How completions are written. */
export const completionForm: OpenAIForm<CompletionJob, CompletionTypes> = {
  idPrefix: 'cmpl',
  object: { body: 'text_completion', event: 'text_completion' },
  draft: (job) => new CompletionDraft(job),
  writer: (job) => new CompletionWriter(job),
}
