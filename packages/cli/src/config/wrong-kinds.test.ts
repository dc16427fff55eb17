import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { temporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { loadConfig } from './load.ts'
import { ConfigError, formatKeyPath, formatProblem, type KeyPath } from './problem.ts'
import { configJsonSchema } from './schema.ts'
import { accepts, conditionOf, describeAllowed, schemaAt, walkKeys } from './schema-tree.ts'

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder[Symbol.asyncDispose]())

const keys = [...walkKeys(configJsonSchema())]

/** Values of each kind that YAML has, with the words for them. */
const kinds = [
  { types: ['array'], value: [['x']], words: 'a list' },
  { types: ['object'], value: { x: 1 }, words: 'a mapping' },
  { types: ['string'], value: 'word', words: "'word'" },
  { types: ['number', 'integer'], value: 5, words: '5' },
  { types: ['boolean'], value: true, words: 'true' },
] as const

/** Returns a file in which only the value at `path` is given, beside what its entry of models needs. */
function fileWith(path: KeyPath, value: unknown): object {
  const nested = path.reduceRight<unknown>(
    (inner, key) => (typeof key === 'number' ? [inner] : { [key]: inner }),
    value,
  )
  const [section, index] = path
  if (section !== 'models' || index === undefined) return nested as object
  const engine = /engine: (\w+)/.exec(
    conditionOf(schemaAt(configJsonSchema(), path.slice(0, 2))!, String(path[2])) ?? '',
  )
  const needed = engine?.[1] === 'upstream' ? { baseUrl: 'http://a/v1' } : { source: './a.gguf' }
  const entry = (nested as { models: [object] }).models[0]
  return { models: [{ id: 'a', engine: engine?.[1] ?? 'llama', ...needed, ...entry }] }
}

async function mistakes(path: KeyPath, value: unknown): Promise<readonly string[]> {
  await folder.write('petals-chat.yaml', stringify(fileWith(path, value)))
  const error: unknown = await loadConfig({
    workingDirectory: folder.path,
    environment: {},
    flags: {},
  }).catch((reason: unknown) => reason)
  return error instanceof ConfigError ? error.problems.map(formatProblem) : []
}

describe('a value of another kind', () => {
  it('is told with what it is and with what is expected, for each key', async () => {
    for (const { path, node } of keys)
      for (const { types, value, words } of kinds) {
        if (types.some((type) => accepts(node, type))) continue
        const found = await mistakes(path, value)
        const shown = types[0] === 'array' || types[0] === 'object' ? words : `(${words}|this secret value)`
        const expected = new RegExp(
          `: ${escaped(formatKeyPath(path))}: ${shown} is not allowed; it must be \\S`,
        )
        expect(found.join('\n'), JSON.stringify(fileWith(path, value))).toMatch(expected)
      }
  })
})

const escaped = (text: string) => text.replace(/[[\].]/g, '\\$&')

it('each pattern has words, which are told in its place', () => {
  const withPattern = keys.flatMap(({ node }) => patternsIn(node))
  expect(withPattern.length).toBeGreaterThan(10)
  for (const { pattern, words } of withPattern) {
    expect(words, pattern).toMatch(/^must be [^.].*[^.]$/)
  }
  for (const { node } of keys) expect(describeAllowed(node)).not.toMatch(/\^|\\/)
})

function patternsIn(
  node: unknown,
): readonly { readonly pattern: string; readonly words: string | undefined }[] {
  if (typeof node !== 'object' || node === null) return []
  const { pattern, patternErrorMessage: words } = node as { pattern?: string; patternErrorMessage?: string }
  const own = typeof pattern === 'string' ? [{ pattern, words }] : []
  return [...own, ...Object.values(node).flatMap(patternsIn)]
}
