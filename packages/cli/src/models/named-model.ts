import type { LoadedConfig } from '../config/load.ts'
import { parseModelFlag } from '../config/model-flag.ts'
import type { LocalModelEntry, ModelEntry } from '../config/schema.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'

/** Finds a model with files by its id, its alias or its source. @throws CommandError */
export function findModel({ config }: LoadedConfig, name: string, workingDirectory: string): LocalModelEntry {
  const spec = find(config.models, name, workingDirectory)
  if (spec.engine !== 'upstream') return spec
  const { id, baseUrl, baseUrls = [baseUrl] } = spec
  throw new CommandError(
    `Another server runs the model '${id}' (${baseUrls.join(', ')}): it has no files here.`,
    exitCodes.usage,
  )
}

function find(models: readonly ModelEntry[], name: string, workingDirectory: string): ModelEntry {
  try {
    return parseModelFlag(name, models, workingDirectory).spec
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), exitCodes.usage)
  }
}
