import { findAccessOverrides } from './access-overrides.ts'
import type { ConfigFile } from './find-file.ts'
import { findHubOverrides } from './hub-overrides.ts'
import { interpolate } from './interpolate.ts'
import { findOverrides, type Environment, type Flags, type Override } from './overrides.ts'
import { formatKeyPath, type ConfigProblem, type KeyPath, type Origin } from './problem.ts'
import { configJsonSchema } from './schema.ts'
import { accepts, schemaAt, valueFromText, type SchemaNode } from './schema-tree.ts'
import { isSecret } from './secrets.ts'
import { findSwarmOverrides } from './swarm-overrides.ts'
import { isRecord, valueAt, withValue } from './tree.ts'
import type { DescribeOptions, ValidationProblem } from './validate.ts'
import { parseYaml, type YamlFile } from './yaml-file.ts'

/** Flags, environment and file combined, before validation, with the origin of each value. */
export class ConfigDraft implements DescribeOptions {
  readonly data: Readonly<Record<string, unknown>>
  /** Problems that are found before validation with the schema: invalid YAML, variables that are not set. */
  readonly problems: readonly ConfigProblem[]
  readonly #yaml: YamlFile | undefined
  readonly #overrides = new Map<string, Override>()
  /** By key path: the text with `${NAME}`, as it is in the file. */
  readonly #templates: ReadonlyMap<string, string>
  /** Values that need a variable which is not set. This is reported already; further problems with them are noise. */
  readonly #unset: ReadonlySet<string>

  constructor(file: ConfigFile | undefined, flags: Flags, environment: Environment) {
    this.#yaml = file && parseYaml(file.name, file.text)
    const { data, replaced, missing } = interpolate(this.#yaml?.data, {
      environment,
      convert: (text, path) =>
        this.#yaml?.isPlain(path) ? valueFromText(text, schemaAt(this.schema, path) ?? {}) : text,
    })
    this.#templates = replaced
    this.#unset = new Set(missing.map(({ path }) => formatKeyPath(path)))
    this.problems = [
      ...(this.#yaml?.problems ?? []),
      ...missing.map(({ path, name }) => ({
        origin: this.origin(path, 'value'),
        path,
        message: `the environment variable ${name} is not set. Set it, or write \${${name}:-fallback}.`,
      })),
      ...this.#checkRoot(data),
    ]
    const sound = withoutEmptyParts(data, () => this.schema)
    this.data = this.#override(isRecord(sound) ? sound : {}, flags, environment)
  }

  get schema(): SchemaNode {
    return configJsonSchema()
  }

  get models(): readonly unknown[] {
    return Array.isArray(this.data.models) ? this.data.models : []
  }

  value(path: KeyPath): unknown {
    return valueAt(this.data, path)
  }

  standIn(path: KeyPath): string | undefined {
    const template = this.#templates.get(formatKeyPath(path))
    if (template !== undefined) return `the value of '${template}'`
    // A list or a mapping is named without what is in it.
    return isSecret(path) && typeof this.value(path) !== 'object' ? 'this secret value' : undefined
  }

  /** Returns where to look for a mistake: what set the value, or its place in the file, existing or not. */
  origin(path: KeyPath, part: 'key' | 'value'): Origin {
    return this.#overrideOf(path)?.origin ?? this.#yaml?.locate(path, part) ?? { kind: 'default' }
  }

  /** Returns what set the effective value. */
  source(path: KeyPath): Origin {
    const isSet = this.#overrideOf(path) !== undefined || valueAt(this.#yaml?.data, path) != null
    return isSet ? this.origin(path, 'value') : { kind: 'default' }
  }

  /** Returns what set the value, or the list that it is an entry of. */
  #overrideOf(path: KeyPath): Override | undefined {
    const prefixes = path.map((_, index) => path.slice(0, path.length - index))
    return prefixes.map((prefix) => this.#overrides.get(formatKeyPath(prefix))).find(Boolean)
  }

  /**
   * Returns the problems worth reporting, without those that follow from another one. After a mistake in the YAML, the rest
   * of the file may be misread, and reports about it would mislead.
   */
  trustworthy(problems: readonly ValidationProblem[]): readonly ValidationProblem[] {
    const { firstBrokenLine = Infinity } = this.#yaml ?? {}
    return problems.filter(({ origin, kind, path }) => {
      if (this.#unset.has(formatKeyPath(path))) return false
      if (firstBrokenLine === Infinity || origin.kind !== 'file') return true
      // A list or mapping may extend into the broken part, or have lost its end there.
      const isWhole =
        kind === 'unknown-key' || (kind === 'wrong-value' && typeof this.value(path) !== 'object')
      return isWhole && origin.line < firstBrokenLine
    })
  }

  #checkRoot(data: unknown): readonly ConfigProblem[] {
    if (data == null || isRecord(data)) return []
    const message = `the file must be a mapping of sections: ${Object.keys(this.schema.properties ?? {}).join(', ')}.`
    return [{ origin: this.origin([], 'value'), path: [], message }]
  }

  #override(data: Readonly<Record<string, unknown>>, flags: Flags, environment: Environment) {
    const overrides = [
      ...findHubOverrides(data.hub, environment),
      ...findSwarmOverrides(data.swarm, environment),
      ...findAccessOverrides(data.server, environment),
      ...findOverrides(flags, environment),
      // A section, or a part of it, that is not a mapping is kept, so that the schema refuses it.
    ].filter(({ path }) => path.every((_, depth) => isRecord(valueAt(data, path.slice(0, depth)) ?? {})))
    for (const override of overrides) this.#overrides.set(formatKeyPath(override.path), override)
    return overrides.reduce((result, { path, value }) => withValue(result, path, value), data)
  }
}

/** Removes empty parts: `cors:` with nothing, or only comments, below it means the same as no `cors:`. */
function withoutEmptyParts(value: unknown, schema: () => SchemaNode, path: KeyPath = []): unknown {
  if (Array.isArray(value))
    return value.map((entry, index) => withoutEmptyParts(entry, schema, [...path, index]))
  if (!isRecord(value)) return value
  const isEmptyPart = (child: unknown, childPath: KeyPath) => {
    const node = child === null ? schemaAt(schema(), childPath) : undefined
    return node !== undefined && (accepts(node, 'object') || accepts(node, 'array'))
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, child]) => !isEmptyPart(child, [...path, key]))
      .map(([key, child]) => [key, withoutEmptyParts(child, schema, [...path, key])]),
  )
}
