import path from 'node:path'
import { stringify } from 'yaml'
import { configSchema } from '../config/schema.ts'
import type { CommandContext } from '../context.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { convertConfig, type ConvertedConfig } from '../migration/convert-config.ts'
import { PythonSyntaxError } from '../migration/python-values.ts'
import { readBounded, TooLongError } from '../read-bounded.ts'

/** A `config.py` has about 100 lines. */
const MAX_BYTES = 1_000_000

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
  try {
    return (await readBounded(place, MAX_BYTES)).toString('utf8')
  } catch (error) {
    const reason =
      error instanceof TooLongError
        ? 'is too long for a config.py'
        : `can't be read: ${(error as NodeJS.ErrnoException).code}`
    throw new CommandError(`${file} ${reason}.`, exitCodes.usage)
  }
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
