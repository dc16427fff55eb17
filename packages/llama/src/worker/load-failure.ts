import { ModelUnavailableError } from '@petals-chat/engine'
import type { LlamaConfig } from '../config.ts'
import { detectLlamaBackends } from '../machine/backends.ts'
import type { LoadFailedMessage } from '../protocol.ts'

/** What went wrong and what to do, for a person. */
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
    'Close other programs, take a smaller quantisation, or set llama.contextLength and llama.sequences lower.',
  model: () => 'Perhaps this version of llama.cpp does not know the architecture, or the file is damaged.',
}

function gpuDetail(gpu: LlamaConfig['gpu']): string {
  const backend = detectLlamaBackends().gpus.find(({ name }) => name === gpu)
  return backend?.detail ?? `There is no ${gpu} on ${process.platform}.`
}
