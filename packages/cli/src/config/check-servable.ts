import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { mayAskForCredentials, openBindProblem } from '@petals-chat/gateway/config'
import { expandHome } from '@petals-chat/hub/config'
import { formatModelSource, singleSources, type ModelSource } from '@petals-chat/engine'
import type { LoadedConfig } from './load.ts'
import { ConfigError, type ConfigProblem } from './problem.ts'

/**
 * Returns the problems for which `serve` refuses a well-formed configuration. `config check` and `doctor` report the same
 * problems, and no others.
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
  const { server } = config
  const message = openBindProblem(server, mayAskForCredentials(server))
  if (message === undefined) return []
  return [{ origin: origin(['server', 'host']), path: ['server', 'host'], message }]
}

/** A file that the user has just named, and that does not exist, is a typing mistake. */
function checkAddedFiles({ added, baseFolder }: LoadedConfig): readonly ConfigProblem[] {
  return added.flatMap(({ source, origin }) => {
    const missing = missingFile(source, baseFolder, '')
    return missing === undefined ? [] : [{ origin, path: [], message: `${missing}.` }]
  })
}

/** A file that the configuration file names may be mounted or copied later: this is not a mistake, but deserves a warning. */
export function warnOfMissingFiles({
  config,
  added,
  baseFolder,
  origin,
}: LoadedConfig): readonly ConfigProblem[] {
  const addedSources = new Set(added.map(({ source }) => formatModelSource(source)))
  return config.models.flatMap((model, index) => {
    if (model.engine === 'upstream') return []
    const { source } = model
    const missing = addedSources.has(formatModelSource(source))
      ? undefined
      : missingFile(source, baseFolder, ' yet')
    const key = ['models', index, 'source']
    return missing === undefined ? [] : [{ origin: origin(key), path: key, message: `${missing}.` }]
  })
}

/** Says what is wrong with the first file of a source whose alternatives are all local files that can't be used. */
function missingFile(source: ModelSource, baseFolder: string, yet: string): string | undefined {
  const singles = singleSources(source)
  const files = singles.flatMap((single) =>
    single.type === 'local' ? [path.resolve(baseFolder, expandHome(single.path, homedir()))] : [],
  )
  const problems = files.map((file) => problemOfFile(file, yet))
  return files.length === singles.length && !problems.includes(undefined) ? problems[0] : undefined
}

function problemOfFile(file: string, yet: string): string | undefined {
  try {
    accessSync(file, constants.R_OK)
    return undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'EACCES' || code === 'EPERM'
      ? `${file} may not be read by this user`
      : `there is no file or folder ${file}${yet}`
  }
}
