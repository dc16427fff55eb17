import { createHash } from 'node:crypto'
import type { OllamaModel } from '@petals-chat/api'
import type { Model, ModelSpec, ServedModel } from '@petals-chat/engine'

/** The tag of a name that has none, as Ollama has it. */
export const LATEST_TAG = ':latest'

const taggedName = (id: string): string => (/:[^/]*$/.test(id) ? id : `${id}${LATEST_TAG}`)

/** A model as Ollama and llama-server list it, without times. `model`: undefined if it is not loaded. */
export const listedModel = (
  spec: ModelSpec,
  model: ServedModel | undefined,
): Omit<OllamaModel, 'modified_at'> => ({
  name: taggedName(spec.id),
  model: taggedName(spec.id),
  size: model?.memoryBytes ?? 0,
  digest: createHash('sha256').update(JSON.stringify(spec)).digest('hex'),
  details: modelDetails(spec),
})

/** Maximum number of tokens of prompt and answer together; undefined if the model is not loaded, or does not say. */
export function contextLengthOf(spec: ModelSpec, model: ServedModel | undefined): number | undefined {
  const known = Math.min(model?.contextLength ?? Infinity, spec.maxSessionLength ?? Infinity)
  return known === Infinity ? undefined : known
}

/** The texts of the tokens that begin and end what a model reads and writes. */
export function boundaryTexts({ tokenizer }: Pick<Model, 'tokenizer'>) {
  const { bosToken, eosTokens } = tokenizer
  const [end] = eosTokens
  return {
    bos: bosToken === undefined ? undefined : tokenizer.decode([bosToken]),
    eos: end === undefined ? undefined : tokenizer.decode([end]),
  }
}

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
