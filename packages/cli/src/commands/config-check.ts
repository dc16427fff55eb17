import { assertServable, warnOfMissingFiles } from '../config/check-servable.ts'
import { loadConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import type { CommandContext } from '../context.ts'

/** Loads the configuration and reports that it is valid, as for `serve`. @throws ConfigError with all mistakes */
export async function checkConfig(context: CommandContext): Promise<void> {
  const { terminal } = context
  const loaded = await loadConfig(context)
  assertServable(loaded)
  for (const warning of [...loaded.warnings, ...warnOfMissingFiles(loaded)]) {
    terminal.note(`${terminal.style('yellow', 'warning:')} ${formatProblem(warning)}`)
  }
  const { models } = loaded.config
  const count = models.length === 1 ? '1 model' : `${models.length} models`
  terminal.out(
    `${loaded.file ?? 'The built-in configuration'}: valid, ${count} (${models.map(({ id }) => id).join(', ')}).`,
  )
}
