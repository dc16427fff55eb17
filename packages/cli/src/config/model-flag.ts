import { existsSync } from 'node:fs'
import path from 'node:path'
import { parseModelSource, singleSources, type ModelSource } from '@petals-chat/engine'
import { modelEntrySchema, type LocalModelEntry, type ModelEntry, type ModelEntryInput } from './schema.ts'

/** The meaning of `--model`: a configured model, or an added one. */
export type ModelFlag =
  | { readonly kind: 'configured'; readonly spec: ModelEntry }
  | { readonly kind: 'added'; readonly spec: LocalModelEntry; readonly written: ModelEntryInput }

/**
 * Reads `--model`: the id or alias of a configured model, or `[NAME=][ENGINE:]SOURCE`, for example `./model.gguf`,
 * `llama:./model.gguf`, `hf:owner/repo/model.gguf`, `mine=hf:owner/repo:Q4_K_M`.
 * @throws Error that shows the correct form
 */
export function parseModelFlag(
  text: string,
  configured: readonly ModelEntry[],
  workingDirectory: string,
): ModelFlag {
  const known = configured.find(({ id, aliases }) => id === text || aliases.includes(text))
  if (known !== undefined) return { kind: 'configured', spec: known }

  const [, name, engine = 'llama', sourceText] = /^(?:([^=:/\\]+)=(?!=))?(?:(llama|petals):)?(.*)$/s.exec(
    text,
  )!
  const source = parseModelSource(sourceText!)
  if (isBareWord(source, sourceText!)) throw new Error(describeUnknown(text, configured))
  const hint = missingFolder(sourceText!, source, { engine, workingDirectory })
  if (hint !== undefined) throw new Error(hint)
  const written = {
    id: name ?? defaultName(source),
    engine: engine as LocalModelEntry['engine'],
    source: absolute(sourceText!, source, workingDirectory),
  }
  return { kind: 'added', spec: modelEntrySchema.parse(written) as LocalModelEntry, written }
}

/** `SmolLM` is not a path: it is meant as the name of a model. */
const isBareWord = (source: ModelSource, text: string) => source.type === 'local' && !/[./\\~]/.test(text)

function describeUnknown(text: string, configured: readonly ModelEntry[]): string {
  const ids = configured.map(({ id }) => id).join(', ')
  return (
    `'${text}' is not a configured model (configured: ${ids}). To add a model, write its source: ` +
    './file.gguf, hf:owner/repo/file.gguf or hf:owner/repo:Q4_K_M.'
  )
}

/** Returns a hint if `owner/repo` without `hf:`, which is a path, does not exist: then a repository was probably meant. */
function missingFolder(
  text: string,
  source: ModelSource,
  { engine, workingDirectory }: { readonly engine: string; readonly workingDirectory: string },
): string | undefined {
  if (source.type !== 'local' || !/^[\w-][\w.-]*\/[\w.-]+(?::[\w-]+)?$/.test(text)) return undefined
  if (existsSync(path.resolve(workingDirectory, text))) return undefined
  const meant = engine === 'petals' ? `petals:hf:${text}` : `hf:${text}`
  return `There is no file or folder '${text}'. For the repository on the Hugging Face Hub, did you mean ${meant}?`
}

/** Makes a path of the command line absolute. It is relative to the working directory, not to the configuration file. */
function absolute(text: string, source: ModelSource, workingDirectory: string): string {
  if (source.type !== 'local' || source.path.startsWith('~')) return text
  return path.resolve(workingDirectory, source.path)
}

/** Returns the name of the file without `.gguf`, or of the repository. */
function defaultName(source: ModelSource): string {
  const single = singleSources(source)[0]!
  switch (single.type) {
    case 'hub':
      return single.file === undefined ? single.repo : baseName(single.file)
    case 'wheel':
    case 'local':
      return baseName(single.type === 'local' ? single.path : single.file)
  }
}

const baseName = (file: string) => path.posix.basename(file.replaceAll('\\', '/')).replace(/\.gguf$/i, '')
