import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { stringify } from 'yaml'
import { configSchema } from '../config/schema.ts'
import type { CommandContext } from '../context.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { convertConfig, type ConvertedConfig } from '../migration/convert-config.ts'
import { PythonSyntaxError } from '../migration/python-values.ts'

/** A `config.py` has about 100 lines. */
const MAX_CHARACTERS = 1_000_000

/**
 * Prints the configuration that a `config.py` of chat.petals.dev means, as petals-chat.yaml has it. The file is never run.
 * @throws CommandError that says what in the file can't be read
 */
export async function importConfig(
  context: CommandContext,
  [file = 'config.py']: readonly string[],
): Promise<void> {
  const { terminal } = context
  const { config, notes } = convert(
    await readSource(path.resolve(context.workingDirectory, file), file),
    file,
  )
  for (const note of notes) terminal.note(`${terminal.style('yellow', 'note:')} ${note}`)
  terminal.write(
    `# From ${path.basename(file)}, by petals-chat config import.\n${stringify(config, { lineWidth: 0 })}`,
  )
}

async function readSource(place: string, file: string): Promise<string> {
  const source = await readFile(place, 'utf8').catch((error: unknown) => {
    throw new CommandError(
      `${file} can't be read: ${(error as NodeJS.ErrnoException).code}.`,
      exitCodes.usage,
    )
  })
  if (source.length > MAX_CHARACTERS)
    throw new CommandError(`${file} is too long for a config.py.`, exitCodes.usage)
  return source
}

function convert(source: string, file: string): ConvertedConfig {
  try {
    const converted = convertConfig(source)
    const { models } = converted.config
    if (!Array.isArray(models) || models.length === 0)
      throw new CommandError(`${file} has no models: neither MODEL_FAMILIES nor MODELS.`, exitCodes.usage)
    const checked = configSchema.safeParse(converted.config)
    if (checked.success) return converted
    const [issue] = checked.error.issues
    throw new CommandError(`${file}: ${issue?.path.join('.')}: ${issue?.message}.`, exitCodes.usage)
  } catch (error) {
    if (error instanceof PythonSyntaxError)
      throw new CommandError(`${file}: ${error.message}`, exitCodes.usage)
    throw error
  }
}
