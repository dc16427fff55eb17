import type { ModelType } from '../layers/architecture.ts'

/**
 * Returns the prefix that Petals' servers derive from the name of a Hub repository (`config.py` of each family in
 * `petals/models`). Servers that loaded a local folder, or were given `--dht_prefix`, use another one, which the user must
 * configure.
 */
export function deriveDhtPrefix(modelType: ModelType, repository: string): string {
  return prefixRules[modelType](repository).replaceAll('.', '-')
}

const lastPart = (repository: string): string => repository.slice(repository.lastIndexOf('/') + 1)

const prefixRules: Readonly<Record<ModelType, (repository: string) => string>> = {
  llama: (repository) => lastPart(repository).replace(/(-hf)?$/, '-hf'),
  falcon: lastPart,
  bloom: (repository) =>
    `${repository.startsWith('bigscience/') ? repository.replace(/-petals$/, '') : repository}-petals`,
  mixtral: (repository) => repository,
}
