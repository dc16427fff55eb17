import { existsSync } from 'node:fs'
import path from 'node:path'
import { isLoopbackHost } from '@petals-chat/gateway/config'
import { formatModelSource, singleSources, type ModelSource } from '@petals-chat/engine'
import type { LoadedConfig } from './load.ts'
import { ConfigError } from './problem.ts'
import type { ConfigProblem } from './problem.ts'

/**
 * What a configuration of sound form still lacks to be served as it is meant. One answer for all who ask: `serve` refuses
 * what `config check` and `doctor` call wrong, and nothing else.
 */
export function findServingProblems(loaded: LoadedConfig): readonly ConfigProblem[] {
  return [...checkHost(loaded), ...checkAddedFiles(loaded)]
}

/** @throws ConfigError with what `findServingProblems` finds */
export function assertServable(loaded: LoadedConfig): void {
  const problems = findServingProblems(loaded)
  if (problems.length > 0) throw new ConfigError(problems)
}

function checkHost({ config, origin }: LoadedConfig): readonly ConfigProblem[] {
  const { host, allowPublic } = config.server
  if (allowPublic || isLoopbackHost(host)) return []
  const message =
    `listening on ${host} would let everybody who reaches it use the models of this server. ` +
    'If that is meant, add --allow-public (server.allowPublic: true); otherwise leave the host at 127.0.0.1.'
  return [{ origin: origin(['server', 'host']), path: ['server', 'host'], message }]
}

/** A file that was named just now, by hand, and is not there, is a slip of the pen. */
function checkAddedFiles({ added, baseFolder }: LoadedConfig): readonly ConfigProblem[] {
  return added.flatMap(({ source, origin }) => {
    const missing = missingFile(source, baseFolder)
    return missing === undefined
      ? []
      : [{ origin, path: [], message: `there is no file or folder ${missing}.` }]
  })
}

/** A file that the configuration file names may still be mounted or copied later: no mistake, but worth a word. */
export function warnOfMissingFiles({
  config,
  added,
  baseFolder,
  origin,
}: LoadedConfig): readonly ConfigProblem[] {
  const addedSources = new Set(added.map(({ source }) => formatModelSource(source)))
  return config.models.flatMap(({ source }, index) => {
    const missing = addedSources.has(formatModelSource(source)) ? undefined : missingFile(source, baseFolder)
    const key = ['models', index, 'source']
    return missing === undefined
      ? []
      : [{ origin: origin(key), path: key, message: `there is no file or folder ${missing} yet.` }]
  })
}

/** The first local file of a source, where none of its alternatives is elsewhere or is there. */
function missingFile(source: ModelSource, baseFolder: string): string | undefined {
  const singles = singleSources(source)
  const files = singles.flatMap((single) =>
    single.type === 'local' && !single.path.startsWith('~') ? [path.resolve(baseFolder, single.path)] : [],
  )
  return files.length === singles.length && !files.some((file) => existsSync(file)) ? files[0] : undefined
}
