/** Model families whose blocks Petals serves, by `model_type` of config.json. */
export type ModelType = 'llama' | 'falcon' | 'bloom' | 'mixtral'

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

/**
 * Reports whether `text` can be a prefix. It has neither a dot nor a space: both separate parts of block names. Any peer can
 * choose a prefix, and prefixes appear in shell commands and on terminals: quotation marks of any shell (PowerShell accepts
 * typographic ones, too) and invisible characters are refused.
 */
export const isDhtPrefix = (text: string): boolean => /^[^.\s\p{C}'"`\u2018-\u201f]{1,200}$/u.test(text)
