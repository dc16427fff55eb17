import { existsSync } from 'node:fs'
import path from 'node:path'
import { parseModelSource, singleSources, type ModelSource } from '@petals-chat/engine'
import { modelEntrySchema, type ModelEntry, type ModelEntryInput } from './schema.ts'

/** What `--model` may say: a configured model, or one that needs no file. */
export type ModelFlag =
  | { readonly kind: 'configured'; readonly spec: ModelEntry }
  | { readonly kind: 'added'; readonly spec: ModelEntry; readonly written: ModelEntryInput }

/**
 * Reads `--model`: the id or alias of a configured model, or `[NAME=][ENGINE:]SOURCE`, for example `./model.gguf`,
 * `llama:./model.gguf`, `hf:owner/repo/model.gguf`, `mine=hf:owner/repo:Q4_K_M`.
 * @throws Error that says how it is written right
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
    engine: engine as ModelEntryInput['engine'],
    source: absolute(sourceText!, source, workingDirectory),
  }
  return { kind: 'added', spec: modelEntrySchema.parse(written), written }
}

/** `SmolLM` is no path: whoever writes it means a model's name. */
const isBareWord = (source: ModelSource, text: string) => source.type === 'local' && !/[./\\~]/.test(text)

function describeUnknown(text: string, configured: readonly ModelEntry[]): string {
  const ids = configured.map(({ id }) => id).join(', ')
  return (
    `'${text}' is no configured model (there is: ${ids}). To add one, write its source: ` +
    './file.gguf, hf:owner/repo/file.gguf or hf:owner/repo:Q4_K_M.'
  )
}

/** `owner/repo` without `hf:` reads as a path; where there is no such file or folder, a repository is what was meant. */
function missingFolder(
  text: string,
  source: ModelSource,
  { engine, workingDirectory }: { readonly engine: string; readonly workingDirectory: string },
): string | undefined {
  if (source.type !== 'local' || !/^[\w-][\w.-]*\/[\w.-]+(?::[\w-]+)?$/.test(text)) return undefined
  if (existsSync(path.resolve(workingDirectory, text))) return undefined
  const meant = engine === 'petals' ? `petals:hf:${text}` : `hf:${text}`
  return `There is no file or folder '${text}' here. For the repository of the Hugging Face Hub: did you mean ${meant}?`
}

/** A path of the command line is relative to where the command runs, wherever the configuration file is. */
function absolute(text: string, source: ModelSource, workingDirectory: string): string {
  if (source.type !== 'local' || source.path.startsWith('~')) return text
  return path.resolve(workingDirectory, source.path)
}

/** The file's name without `.gguf`, or the repository's. */
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
