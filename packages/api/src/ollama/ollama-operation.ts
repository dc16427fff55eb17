import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { modelErrorStatuses, type Operation, type OperationTag } from '../operation.ts'

export const ollamaTag: OperationTag = {
  name: 'Ollama-compatible API',
  description:
    'The API that clients of Ollama know: set their host to this server’s address (`OLLAMA_HOST`). Model names may end ' +
    'in `:latest`. Unless a request has `stream: false`, an answer comes as lines of JSON (NDJSON). Times are in nanoseconds. ' +
    'Options without effect on the answer are ignored; options that would change it and can’t be honoured, and unknown ' +
    'fields, are refused by name.',
}

/** Body of every refused or failed call, and the last line of an answer that failed. */
export const ollamaErrorSchema = z.object({
  error: z.string().describe('What was wrong, where, and what to do, in words.'),
})

export type OllamaErrorBody = Immutable<z.output<typeof ollamaErrorSchema>>

type Given = Omit<Operation, 'tag' | 'error' | 'errorStatuses' | 'scope'> &
  Partial<Pick<Operation, 'errorStatuses' | 'scope'>>

/** An operation of Ollama's API, with its error body. */
export const ollamaOperation = (operation: Given): Operation => ({
  tag: ollamaTag.name,
  scope: 'openai',
  error: ollamaErrorSchema,
  errorStatuses: modelErrorStatuses,
  ...operation,
})
