import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** They leave open who is meant: the caller, the client, a peer, the reader. */
const vaguePersons = ['anybody', 'everybody', 'nobody', 'somebody', 'whoever']

/** Oxford spelling: British words, with -ize. Each pattern, and what to write. */
const spellings: Readonly<Record<string, string>> = {
  'behavior(s|al)?': 'behaviour',
  'canceled|canceling': 'cancelled, cancelling',
  'catalog(s|ed)?': 'catalogue',
  'centered|centers?': 'centre',
  'colors?|colored': 'colour',
  'favors?|favorites?': 'favour, favourite',
  'fulfills?': 'fulfil',
  'grays?': 'grey',
  'honors?|honored': 'honour',
  'labeled|labeling': 'labelled, labelling',
  'modeled|modeling': 'modelled, modelling',
  'neighbors?|neighboring': 'neighbour',
  'signaled|signaling': 'signalled, signalling',
  '(author|final|general|initial|maxim|minim|normal|optim|organ|prior|quant|real|recogn|serial|special|standard|summar|synchron|token|util|visual)is(e|es|ed|er|ers|ing|ation|ations)':
    '-ize, -ization',
}

/** What keeps its name: a standard, an API or a library fixed it. */
const fixedNames = /`[^`]*`|https?:\/\/\S+|\[[^\]]*\]\([^)]*\)|'[^']*'|"[^"]*"/g

const isText = (file: string): boolean =>
  /\.(?:css|html|js|json|jsonc|md|mjs|py|ts|tsx|txt|yaml|yml)$/.test(file) &&
  !/^(?:package-lock\.json|scripts\/lint\/words\.test\.ts)$|\/fixtures\/|\/CHANGELOG\.md$/.test(file)

/** The files of the repository. A source archive has no git: the files that are there. */
function textFiles(): readonly string[] {
  const { status, stdout } = spawnSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
  const found =
    status === 0 ? stdout.split('\n') : globSync('{docs,packages,scripts,swarm,tests}/**', { cwd: root })
  return found
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => isText(file) && !/node_modules|\/dist\//.test(file))
}

const lines = textFiles().flatMap((file) =>
  readFileSync(path.join(root, file), 'utf8')
    .split('\n')
    .map((text, index) => ({ text, place: `${file}:${index + 1}` })),
)

/** What a person reads: Markdown, and the comments of code. */
function proseOf({ text, place }: { readonly text: string; readonly place: string }): string {
  const comment = /(?:^|\s)(?:\/\/|\/?\*+|#) (.*)/.exec(text)?.[1] ?? ''
  return (/\.md:\d+$/.test(place) ? text : comment).replaceAll(fixedNames, '')
}

const placesOf = (pattern: RegExp, read: (line: (typeof lines)[number]) => string): readonly string[] =>
  lines.filter((line) => pattern.test(read(line))).map(({ text, place }) => `${place}: ${text.trim()}`)

describe('texts', () => {
  it('are found', () => {
    expect(lines.length).toBeGreaterThan(10_000)
    expect(proseOf({ place: 'a.ts:1', text: 'const a = 1 // The `color` of a colour' })).toBe(
      'The  of a colour',
    )
  })

  it.each(vaguePersons)('name the thing instead of "%s"', (word) => {
    expect(placesOf(new RegExp(`\\b${word}\\b`, 'i'), ({ text }) => text)).toEqual([])
  })

  it.each(Object.entries(spellings))('have no %s: %s', (pattern) => {
    expect(placesOf(new RegExp(`\\b(?:${pattern})\\b`, 'i'), proseOf)).toEqual([])
  })
})
