import type { ChatRequest } from '@petals-chat/api'
import type { ModelSpec, RemoteModel } from '@petals-chat/engine'
import type { GatewayConfig } from '../../config.ts'
import { answerHead } from '../answer/answer-head.ts'
import { logprobFields, messageFields, toolFields } from '../remote/chat-fields.ts'
import { commonFields, remoteLength, type RemoteRequestOf, seedField } from '../remote/remote-fields.ts'
import { checkRequestTokens } from '../request/limits.ts'
import type { ChatJob } from './chat-choice-reader.ts'
import { RemoteChatReader } from './remote-chat-reader.ts'

export interface RemotePreparation<Request> {
  readonly spec: ModelSpec
  readonly request: RemoteRequestOf<Request>
  readonly signal: AbortSignal
  readonly version: string
  readonly config: GatewayConfig
}

/** Writes a request as the server of its model understands it. @throws InvalidRequestError, ContextLengthError */
export function prepareRemoteChat(
  model: RemoteModel,
  { spec, request, signal, version, config }: RemotePreparation<ChatRequest>,
): ChatJob {
  const { fields: tools, forced } = toolFields(request)
  const dialogue = { ...messageFields(request), ...tools }
  const length = remoteLength(request, JSON.stringify(dialogue), { spec, model })
  const fields = { ...commonFields(request, spec), ...dialogue, ...logprobFields(request), ...length.field }
  const prompt = {
    promptTokens: length.promptTokens,
    maxNewTokens: length.maxNewTokens,
    request: (choice: number) =>
      ({ kind: 'chat', fields: { ...fields, ...seedField(request, choice) } }) as const,
  }
  const choices = request.n ?? 1
  checkRequestTokens({ param: 'messages', prompts: [prompt], choices }, model, config)
  const keepsThoughts = request.reasoning_format === 'none'
  return {
    head: answerHead(spec, version),
    prompts: [prompt],
    choices,
    signal,
    reader: { reasoning: 'keep', tools: forced ? { tools: [], forced, parallel: true } : undefined },
    logprobs: Boolean(request.logprobs),
    work: { kind: 'remote', model, prompts: [prompt], start: () => new RemoteChatReader({ keepsThoughts }) },
  }
}
