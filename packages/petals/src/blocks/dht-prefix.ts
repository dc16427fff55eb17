/** Model families that have served blocks; `model_type` of config.json. */
export type ModelType = 'llama' | 'falcon' | 'bloom' | 'mixtral'

/**
 * The prefix that Petals' servers derive from the name of a hub repository (`petals/models, config.py of each family`). Servers that
 * loaded a local folder, or were told otherwise, use another: then it must be configured.
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
 * Neither a dot nor a space: both separate parts of block names. Strangers choose such names, and they get into commands for a
 * shell and onto terminals: so no quotation marks of any shell (PowerShell takes typographic ones, too), and nothing invisible.
 */
export const isDhtPrefix = (text: string): boolean => /^[^.\s\p{C}'"`\u2018-\u201f]{1,200}$/u.test(text)
