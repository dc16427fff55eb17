import { serverVariablesOf } from './access-overrides.ts'
import { hubVariablesOf } from './hub-overrides.ts'
import { formatKeyPath, type KeyPath } from './problem.ts'
import { configJsonSchema } from './schema.ts'
import {
  accepts,
  conditionOf,
  describeAllowed,
  isRequired,
  schemaAt,
  walkKeys,
  type SchemaNode,
} from './schema-tree.ts'
import { configSettings, flagName, settings } from './settings.ts'
import { swarmVariablesOf } from './swarm-overrides.ts'

/** Returns the JSON Schema of petals-chat.yaml for editors, as the text of its file. */
export function renderJsonSchema(): string {
  const { properties, ...schema } = configJsonSchema() as SchemaNode & { readonly $schema: string }
  const file = {
    $schema: schema.$schema,
    title: 'petals-chat.yaml',
    description: 'Configuration of Petals Chat.',
    type: 'object',
    properties,
    additionalProperties: false,
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/** Replaces the tables in docs/configuration.md, which are between `<!-- generated: NAME -->` and `<!-- end -->`. */
export function fillReference(document: string): string {
  const tables = renderTables()
  return document.replace(
    /(<!-- generated: (\w+) -->\n).*?(<!-- end -->)/gs,
    (_, begin: string, name: string, end: string) => {
      const table = tables.get(name)
      if (table === undefined)
        throw new Error(`There is no table '${name}'; tables: ${[...tables.keys()].join(', ')}`)
      return `${begin}\n${table}\n\n${end}`
    },
  )
}

/** Returns all tables: the flags, the keys of the top level (`top`), and one for each section. */
export function renderTables(): ReadonlyMap<string, string> {
  const schema = configJsonSchema()
  const sections = Object.entries(schema.properties ?? {})
  return new Map([
    ['flags', renderFlags(schema)],
    [
      'top',
      renderKeys(
        schema,
        Object.keys(schema.properties ?? {}).map((key) => [key]),
      ),
    ],
    ...sections
      .filter(([, node]) => isNested(node))
      .map(([name]) => [name, renderSection(schema, name)] as const),
  ])
}

const isNested = (node: SchemaNode) => [...walkKeys(node)].length > 0

function renderFlags(schema: SchemaNode): string {
  const rows = settings.map((setting) => {
    const path = 'path' in setting ? setting.path : undefined
    const key = path === undefined ? '' : code(formatKeyPath(path))
    const value = path === undefined ? undefined : schemaAt(schema, path)?.default
    return [
      code(setting.flag),
      code(setting.variable),
      key,
      formatDefault(value),
      capitalize(setting.summary),
    ]
  })
  return renderTable(['Flag', 'Variable', 'Key', 'Default', 'What it does'], rows)
}

function renderSection(schema: SchemaNode, name: string): string {
  const section = schemaAt(schema, [name])!
  const keys = [...walkKeys(section, [name])].filter(
    ({ node }) => !isNested(node) || node.description !== undefined,
  )
  return renderKeys(
    schema,
    keys.map(({ path }) => path),
  )
}

function renderKeys(schema: SchemaNode, paths: readonly KeyPath[]): string {
  const rows = paths.map((path) => {
    const node = schemaAt(schema, path)!
    const parent = schemaAt(schema, path.slice(0, -1))!
    const key = String(path.at(-1))
    const condition = conditionOf(parent, key)
    const name = path.length === 1 ? path : path.slice(path[1] === 0 ? 2 : 1)
    return [
      code(formatKeyPath(name)),
      isNested(node)
        ? `a ${accepts(node, 'array') ? 'list' : 'mapping'}, see below`
        : plain(describeAllowed(node)),
      isRequired(parent, key) ? 'required' : isNested(node) ? '' : formatDefault(node.default),
      [
        ...(condition === undefined ? [] : [`Only with \`${condition}\`.`]),
        node.description,
        ...describeSetters(path),
      ].join(' '),
    ]
  })
  return renderTable(['Key', 'Value', 'Default', 'What it does'], rows)
}

/** By section: variables of other programs that affect its keys. */
const variablesOf: Readonly<Record<string, (key: string) => readonly string[]>> = {
  hub: hubVariablesOf,
  swarm: swarmVariablesOf,
  server: serverVariablesOf,
}

/** Returns a sentence about the flags and variables that take precedence over the key. */
function describeSetters(path: KeyPath): readonly string[] {
  const key = formatKeyPath(path)
  const setting = configSettings.find((candidate) => formatKeyPath(candidate.path) === key)
  const variables = variablesOf[String(path[0])]?.(formatKeyPath(path.slice(1))) ?? []
  const own = setting === undefined ? [] : [flagName(setting), setting.variable]
  const setters = [...own, ...variables]
  return setters.length === 0 ? [] : [`Set by ${setters.map(code).join(', ')}.`]
}

function formatDefault(value: unknown): string {
  if (value === undefined) return ''
  return code(typeof value === 'string' ? value : JSON.stringify(value))
}

const code = (text: string) => `\`${text.replaceAll('|', '\\|').replaceAll('\n', '\\n')}\``
/** Words outside of code, in which a star would begin an emphasis. */
const plain = (text: string) => text.replaceAll('*', '\\*')
const capitalize = (text: string) => `${text[0]!.toUpperCase()}${text.slice(1)}.`

function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeCell).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** A bar inside a cell would end it; `code` has already escaped its own. */
const escapeCell = (text: string) => text.replaceAll(/(?<!\\)\|/g, '\\|').replaceAll('\n', ' ')
