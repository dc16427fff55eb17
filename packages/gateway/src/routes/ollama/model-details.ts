import type { OllamaModel } from '@petals-chat/api'
import type { ModelSpec } from '@petals-chat/engine'

/** What is known of a model without loading it. Ollama reads these from the file; here names of models and files tell them. */
export function modelDetails(spec: ModelSpec): OllamaModel['details'] {
  const { engine, family = '' } = spec
  const names = `${spec.id} ${JSON.stringify(spec.source ?? '')}`
  return {
    parent_model: '',
    format: engine === 'llama' ? 'gguf' : engine,
    family,
    families: family === '' ? [] : [family],
    parameter_size:
      /(?<![A-Za-z0-9.])(\d+(?:\.\d+)?[BM])(?![A-Za-z0-9])/i.exec(names)?.[1]?.toUpperCase() ?? '',
    quantization_level:
      /(?<![A-Za-z0-9])(I?Q\d(?:_[A-Z0-9]+)*|BF16|F16|F32)(?![A-Za-z0-9])/i.exec(names)?.[1]?.toUpperCase() ??
      '',
  }
}
