import { existsSync } from 'node:fs'
import path from 'node:path'
import { parseModelSource } from '@petals-chat/hub'
import type { SingleSource } from '@petals-chat/hub'
import { loadConfig } from '../config/load.ts'
import type { LoadedConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import type { ConfigProblem } from '../config/problem.ts'
import type { CommandContext } from '../context.ts'

/** Loads the configuration and says that it is valid; mistakes are thrown as the loader found them. */
export async function checkConfig(context: CommandContext): Promise<void> {
  const { terminal } = context
  const loaded = await loadConfig(context)
  for (const warning of [...loaded.warnings, ...findMissingFiles(loaded)]) {
    terminal.note(`${terminal.style('yellow', 'warning:')} ${formatProblem(warning)}`)
  }
  const { models } = loaded.config
  const count = models.length === 1 ? '1 model' : `${models.length} models`
  terminal.out(
    `${loaded.file ?? 'The built-in configuration'}: valid, ${count} (${models.map(({ id }) => id).join(', ')}).`,
  )
}

/** A file may still be mounted or copied later: no mistake, but worth a word. */
function findMissingFiles({ config, baseFolder, origin }: LoadedConfig): readonly ConfigProblem[] {
  return config.models.flatMap((spec, index) => {
    const source = parseModelSource(spec.source)
    const local: readonly SingleSource[] = source.type === 'alternatives' ? source.sources : [source]
    return local.flatMap((single) => {
      if (single.type !== 'local' || single.path.startsWith('~')) return []
      const file = path.resolve(baseFolder, single.path)
      if (existsSync(file)) return []
      const key = ['models', index, 'source']
      return [{ origin: origin(key), path: key, message: `there is no file or folder ${file} yet.` }]
    })
  })
}
