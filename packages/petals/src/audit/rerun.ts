import type { Span } from '../blocks/spans.ts'
import { createForwarding } from '../inference/forwarding.ts'
import type { InferenceContext } from '../inference/inference-context.ts'
import { inferenceMetrics } from '../inference/inference-metrics.ts'
import { OpenRoute } from '../inference/open-route.ts'
import { SessionOpener } from '../inference/session-opener.ts'
import type { Evidence } from '../inference/step-observer.ts'
import { floatTensor, tensorValues } from '../tensor/tensor.ts'

/**
 * Runs inputs, [tokens, hidden], through the blocks of these servers, and returns the outputs. To a server this looks like
 * any client's prompt: it can't know that its answer will be compared. Therefore it is
 * asked for the length of a session that goes on, of up to `maxLength` tokens.
 * @throws HopFailure
 */
export async function rerun(
  context: InferenceContext,
  spans: readonly Span[],
  { inputs, maxLength }: Pick<Evidence, 'inputs' | 'maxLength'>,
  signal: AbortSignal,
): Promise<Float32Array> {
  const { hiddenSize, config, limits } = context
  const tokens = inputs.length / hiddenSize
  const opener = new SessionOpener(context, inferenceMetrics(context.metrics), maxLength)
  opener.needed = tokens
  const route = new OpenRoute({
    hiddenSize,
    maxLength,
    openSession: ({ span }, push) => opener.open(span, push, 1),
    forwarding: createForwarding(undefined, {
      hiddenSize,
      chunkTokens: config.prefillChunkTokens,
      requestTokens: (peer) => limits.requestTokens(peer),
    }),
  })
  try {
    route.replace(0, spans)
    route.begin({ ...floatTensor(inputs, [1, tokens, hiddenSize]), dtype: 'float32' })
    const outputs = new Float32Array(inputs.length)
    let at = 0
    for (const part of await route.run(signal)) {
      const values = tensorValues(part)
      outputs.set(values, at)
      at += values.length
    }
    return outputs
  } finally {
    route.closeSessions()
  }
}
