import { globSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

type Imports = ReadonlyMap<string, readonly string[]>

const packages = fileURLToPath(new URL('../packages', import.meta.url))

/** The relative imports of each TypeScript file of a folder; `import type` is one, too. */
function readImports(folder: string): Imports {
  const files = globSync('**/*.{ts,tsx}', { cwd: folder }).map((name) => path.join(folder, name))
  return new Map(
    files.map((file) => {
      const names = ts
        .preProcessFile(readFileSync(file, 'utf8'))
        .importedFiles.map(({ fileName }) => fileName)
      const relative = names.filter((name) => name.startsWith('.'))
      return [file, relative.map((name) => path.resolve(path.dirname(file), name))]
    }),
  )
}

function reachableFrom(file: string, imports: Imports): ReadonlySet<string> {
  const reached = new Set<string>()
  const next = [...(imports.get(file) ?? [])]
  for (let other = next.pop(); other !== undefined; other = next.pop()) {
    if (reached.has(other)) continue
    reached.add(other)
    next.push(...(imports.get(other) ?? []))
  }
  return reached
}

/** Files that import themselves through others. */
const filesInCycles = (imports: Imports): readonly string[] =>
  [...imports.keys()].filter((file) => reachableFrom(file, imports).has(file))

describe('imports, type imports included', () => {
  it('are found', () => {
    const imports = readImports(path.join(packages, 'petals', 'src'))
    const entry = path.join(packages, 'petals', 'src', 'index.ts')
    expect(reachableFrom(entry, imports)).toContain(
      path.join(packages, 'petals', 'src', 'inference', 'inference-session.ts'),
    )
  })

  it('are searched for cycles', () => {
    const imports = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b', 'd']],
      ['d', []],
    ])
    expect(filesInCycles(imports)).toEqual(['b', 'c'])
  })

  it.each(readdirSync(packages))('have no cycle in packages/%s', (name) => {
    const inCycles = filesInCycles(readImports(path.join(packages, name, 'src')))
    // The engine, the models and the sessions of the scripted engine know one another.
    expect(inCycles.filter((file) => !path.basename(file).startsWith('scripted-'))).toEqual([])
  })
})
