import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

type Table = Readonly<Record<string, readonly string[]>>
interface Layers {
  readonly shared?: readonly string[]
  readonly folders: Table
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const modulePath = './layers.mjs'
const { heavyDependencies, layers, packageImports } = (await import(modulePath)) as {
  readonly heavyDependencies: readonly { readonly names: readonly string[]; readonly home: string }[]
  readonly layers: Readonly<Record<string, Layers>>
  readonly packageImports: Table
}
const page = readFileSync(path.join(root, 'docs', 'architecture.md'), 'utf8')
const packagesSection = page.slice(page.indexOf('\n## Packages'), page.indexOf('\n## Where to change what'))

/** The first and the last column of the table below a heading: a name, and the names that it may import. */
function readTable(section: string): Table {
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  const namesIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
  return Object.fromEntries(
    rows.map((row) => {
      const cells = row.split('|').slice(1, -1)
      return [namesIn(cells[0]!)[0]!, namesIn(cells.at(-1)!)]
    }),
  )
}

function sectionOf(heading: string): string {
  const [, after = ''] = page.split(`\n### ${heading}\n`)
  return after.split('\n#')[0]!
}

const sorted = (table: Table): Table =>
  Object.fromEntries(Object.entries(table).map(([name, allowed]) => [name, [...allowed].sort()]))

const sourceOf = (name: string): string => path.join(root, 'packages', name, 'src')
const foldersOf = (place: string): readonly string[] =>
  readdirSync(place, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)

describe('docs/architecture.md shows the table of eslint.config.js', () => {
  it('for packages', () => {
    expect(sorted(readTable(packagesSection))).toEqual(sorted(packageImports))
  })

  it('for packages, as a diagram', () => {
    const [, diagram = ''] = packagesSection.split('```mermaid')
    const edges = [...diagram.split('```')[0]!.matchAll(/^ +(\w+) --> (.+)$/gm)]
    const drawn = edges.map(([, from, to]) => [from!, to!.split(' & ')] as const)
    const code = Object.entries(packageImports).map(([name, allowed]) => {
      // The page takes only types, and cli only the page's built files: dotted lines.
      return [name, name === 'web' ? [] : allowed.filter((other) => other !== 'web')] as const
    })
    expect(sorted(Object.fromEntries(drawn))).toEqual(
      sorted(Object.fromEntries(code.filter(([, allowed]) => allowed.length > 0))),
    )
  })

  it.each(Object.keys(layers))('for the folders of %s', (name) => {
    expect(sorted(readTable(sectionOf(name)))).toEqual(sorted(layers[name]!.folders))
  })

  it('for heavy dependencies', () => {
    const line = page.split('\n').find((each) => each.startsWith('Each heavy dependency has one home:'))
    for (const { home } of heavyDependencies)
      expect(line).toContain(`\`${home.replace('packages/', '').replace('/src', '')}\``)
  })
})

describe('the tables', () => {
  it('have every package', () => {
    expect(foldersOf(path.join(root, 'packages')).toSorted()).toEqual(Object.keys(packageImports).toSorted())
  })

  it('allow a package what its manifest declares', () => {
    for (const [name, allowed] of Object.entries(packageImports)) {
      const manifest = JSON.parse(
        readFileSync(path.join(root, 'packages', name, 'package.json'), 'utf8'),
      ) as Readonly<Record<string, Readonly<Record<string, string>> | undefined>>
      const declared = Object.keys({ ...manifest['dependencies'], ...manifest['devDependencies'] })
      const siblings = declared.filter((each) => each.startsWith('@petals-chat/'))
      expect(siblings.map((each) => path.basename(each)).toSorted(), name).toEqual([...allowed].sort())
    }
  })

  it.each(Object.entries(layers))(
    'have every folder of %s, and no other',
    (name, { folders, shared = [] }) => {
      const source = sourceOf(name)
      for (const place of [...Object.keys(folders), ...Object.values(folders).flat(), ...shared])
        expect(existsSync(path.join(source, place)), `${name}/src/${place}`).toBe(true)
      // Test helpers import what they need; only tests import them.
      const unlisted = foldersOf(source).filter((folder) => !(folder in folders))
      expect(unlisted.filter((folder) => !['testing', 'fixtures', 'styles'].includes(folder))).toEqual([])
    },
  )

  it.each(Object.entries(layers))('have no cycle in %s', (_, { folders }) => {
    const reach = (folder: string, path: readonly string[]): void => {
      expect(path, [...path, folder].join(' → ')).not.toContain(folder)
      for (const next of folders[folder] ?? []) reach(next, [...path, folder])
    }
    for (const folder of Object.keys(folders)) reach(folder, [])
  })
})
