import type { LoadedConfig } from '../config/load.ts'
import { parseModelFlag } from '../config/model-flag.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'

/** A model that a command names: its source, and what else the configuration knows of it. */
export interface NamedModel {
  readonly source: string
  readonly engine: string
  readonly id: string
  readonly sha256?: string | undefined
  readonly dhtPrefix?: string | undefined
  readonly adapter?: string | undefined
  readonly license?: string | undefined
  readonly modelCard?: string | undefined
}

/** Finds a model by its id, its alias or its source. @throws CommandError */
export function findModel({ config }: LoadedConfig, name: string, workingDirectory: string): NamedModel {
  try {
    return parseModelFlag(name, config.models, workingDirectory).spec
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), exitCodes.usage)
  }
}
