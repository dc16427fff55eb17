import type {
  AbortOptions,
  ChatMessage,
  GenerationEvent,
  RemoteModel,
  SamplingParams,
} from '@petals-chat/engine'

export interface RemoteAnswerRequest extends AbortOptions {
  readonly messages: readonly ChatMessage[]
  readonly sampling: SamplingParams
  readonly maxNewTokens: number
}

/** The answer of a model that another server runs, as one that is generated here. */
export async function* remoteAnswer(
  model: RemoteModel,
  { messages, sampling, maxNewTokens, signal }: RemoteAnswerRequest,
): AsyncGenerator<GenerationEvent, void, undefined> {
  const { temperature, topP } = sampling
  const fields = {
    messages: messages.map(({ role, content }) => ({ role, content })),
    temperature,
    top_p: topP,
    max_tokens: maxNewTokens,
  }
  const startedAt = performance.now()
  let firstAt: number | undefined
  for await (const event of model.answer({ kind: 'chat', fields }, { signal })) {
    firstAt ??= performance.now()
    if (event.type === 'parts') {
      for (const part of event.parts)
        if (part.type === 'content') yield { type: 'text-delta', text: part.text, tokens: [] }
      continue
    }
    yield {
      type: 'generation-end',
      finishReason: event.finishReason === 'length' ? 'length' : 'stop',
      usage: event.usage,
      timings: { timeToFirstTokenMs: firstAt - startedAt, decodeMs: performance.now() - firstAt },
    }
  }
}
