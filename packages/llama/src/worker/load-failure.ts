import { ModelUnavailableError } from '@petals-chat/engine'
import type { LlamaConfig } from '../config.ts'
import { detectLlamaBackends } from '../machine/backends.ts'
import type { LoadFailedMessage } from '../protocol.ts'

/** Describes why a model failed to load and how to fix it. */
export function describeLoadFailure(
  modelId: string,
  config: LlamaConfig,
  { reason, text }: LoadFailedMessage,
): ModelUnavailableError {
  const remedy = remedies[reason](config)
  return new ModelUnavailableError(
    `The model '${modelId}' can't be loaded: ${text}. ${remedy}`.replaceAll('..', '.'),
  )
}

const remedies: Readonly<Record<LoadFailedMessage['reason'], (config: LlamaConfig) => string>> = {
  'no-library': () => detectLlamaBackends().cpu.detail,
  'gpu-missing': ({ gpu }) => `${gpuDetail(gpu)} Or set gpu to auto or off.`,
  memory: () =>
    'Close other programs, use a smaller quantization, or lower llama.contextLength and llama.sequences.',
  model: () => 'This version of llama.cpp may not support the architecture, or the file may be damaged.',
}

function gpuDetail(gpu: LlamaConfig['gpu']): string {
  const backend = detectLlamaBackends().gpus.find(({ name }) => name === gpu)
  return backend?.detail ?? `${gpu} is not supported on ${process.platform}.`
}
