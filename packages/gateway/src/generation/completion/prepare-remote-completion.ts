import type { CompletionRequest } from '@petals-chat/api'
import type { RemoteModel, RemotePartsEvent } from '@petals-chat/engine'
import { answerHead } from '../answer/answer-head.ts'
import type { RemoteReader } from '../answer/answer-job.ts'
import type { RemotePreparation } from '../chat/prepare-remote-chat.ts'
import { commonFields, remoteLength, seedField } from '../remote/remote-fields.ts'
import { promptsOf } from '../request/encode-prompts.ts'
import { checkRequestTokens } from '../request/limits.ts'
import type { CompletionJob, CompletionTypes } from './completion-choice-reader.ts'
import { defaultMaxTokens, wantedLogprobs } from './wanted-completion.ts'

/** Writes a request as the server of its model understands it. @throws InvalidRequestError, ContextLengthError */
export function prepareRemoteCompletion(
  model: RemoteModel,
  { spec, request, signal, version, config }: RemotePreparation<CompletionRequest>,
): CompletionJob {
  const logprobs = wantedLogprobs(request.logprobs)
  const common = commonFields(request, spec)
  const prompts = promptsOf(request.prompt).map((prompt) => {
    // Token ids are those of the server; about as many characters as a token has stand for each.
    const text = typeof prompt === 'string' ? prompt : 'text'.repeat(prompt.length)
    const length = remoteLength(request, text, { spec, model, unasked: defaultMaxTokens })
    const fields = { ...common, prompt, ...(logprobs !== undefined && { logprobs }), ...length.field }
    return {
      promptTokens: length.promptTokens,
      maxNewTokens: length.maxNewTokens,
      request: (choice: number) =>
        ({ kind: 'completion', fields: { ...fields, ...seedField(request, choice) } }) as const,
    }
  })
  const choices = request.n ?? 1
  checkRequestTokens({ param: 'prompt', prompts, choices }, model, config)
  return {
    head: answerHead(spec, version),
    prompts,
    choices,
    signal,
    logprobs: logprobs !== undefined,
    echo: request.echo ?? false,
    work: { kind: 'remote', model, prompts, start: () => completionReader },
  }
}

/** Texts need no reading. */
const completionReader: RemoteReader<CompletionTypes> = {
  push: ({ parts, tokens }: RemotePartsEvent) => ({
    text: parts.map((part) => (part.type === 'content' ? part.text : '')).join(''),
    tokens,
  }),
  finishReason: ({ finishReason }) => (finishReason === 'length' ? 'length' : 'stop'),
}
