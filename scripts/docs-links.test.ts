import { existsSync, readFileSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const inDocs = (await readdir(path.join(root, 'docs'), { recursive: true })).map((file) => `docs/${file}`)
const packages = (await readdir(path.join(root, 'packages'))).map((name) => `packages/${name}/README.md`)
const pages = [...inDocs, ...packages, 'README.md', 'CONTRIBUTING.md', 'SECURITY.md'].filter(
  (file) => file.endsWith('.md') && existsSync(path.join(root, file)),
)

const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8')
/** The page without fenced code. */
const proseOf = (file: string): string => textOf(file).replaceAll(/^ *```.*?^ *```$/gms, '')

/** Returns the anchors of a page's headings, as GitHub makes them. */
const anchorsOf = (file: string): readonly string[] =>
  [...proseOf(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

const exists = (file: string): boolean => existsSync(path.join(root, file))

describe.each(pages)('%s', (page) => {
  it('links to pages and headings that exist', () => {
    // A regular expression in a code span can look like a link; the name of a link may have code spans in it.
    const text = proseOf(page).replaceAll(/`[^`]*`/g, '`')
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link!)
      .filter((link) => !/^[a-z]+:/.test(link))
    const broken = links.filter((link) => {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? page : path.posix.join(path.posix.dirname(page), file)
      if (!exists(target)) return true
      return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  it('names files and folders that exist', () => {
    const named = [
      ...proseOf(page).matchAll(/`((?:packages|scripts|swarm|bench|tests|examples)\/[\w./-]+)`/g),
    ]
    const missing = named
      .map(([, file]) => file!)
      .filter((file) => !exists(file) && !/(^|\/)(dist|bundle|\.cache)(\/|$)/.test(file))
    expect(missing).toEqual([])
  })
})

it('finds the pages', () => {
  expect(pages.length).toBeGreaterThan(25)
  expect(pages.every((page) => statSync(path.join(root, page)).isFile())).toBe(true)
})

it('sends reports of faults to the repository that package.json names', () => {
  const { repository } = JSON.parse(textOf('package.json')) as {
    readonly repository: { readonly url: string }
  }
  const home = repository.url.replace(/^git\+/, '').replace(/\.git$/, '')
  expect(textOf('SECURITY.md')).toContain(`(${home}/security/advisories/new)`)
})
