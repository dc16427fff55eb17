import type { LoadedConfig } from '../config/load.ts'
import { parseModelFlag } from '../config/model-flag.ts'
import type { ModelEntry } from '../config/schema.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'

/** Finds a model by its id, its alias or its source. @throws CommandError */
export function findModel({ config }: LoadedConfig, name: string, workingDirectory: string): ModelEntry {
  try {
    return parseModelFlag(name, config.models, workingDirectory).spec
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), exitCodes.usage)
  }
}
