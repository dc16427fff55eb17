import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatProblem } from './problem.ts'
import { parseYaml } from './yaml-file.ts'

const problems = (text: string) => parseYaml('f', text).problems.map(formatProblem)

describe('parseYaml', () => {
  it('names a duplicate key, and its first place', () => {
    expect(problems('a:\n  port: 1\n  host: x\n  port: 2\n')).toEqual([
      "f:4:3: the key 'port' appears twice, first in line 2. Keep one.",
    ])
  })

  it('finds tabs, and other mistakes after them', () => {
    const file = parseYaml('f', 'server:\n\tport: 1\n\thost: x: y\nlog:\n  level: info\n')
    expect(file.problems.map(formatProblem)).toEqual([
      'f:2:1: this line is indented with a tab. YAML allows only spaces here.',
      'f:3:1: this line is indented with a tab. YAML allows only spaces here.',
    ])
    expect(file.data).toMatchObject({ server: { port: 1 } })
    expect(file.locate(['server', 'port'], 'value')).toMatchObject({ line: 2, column: 8 })
  })

  it('accepts a tab where YAML allows it', () => {
    expect(problems('a: |\n  \ttext\nb: 1\t# comment\n')).toEqual([])
  })

  it('reports each mistake once', () => {
    expect(problems('source: x: y\n')).toEqual([
      "f:1:9: not valid YAML: a second ': ' in one line. Put the value in quotes, or start a new line.",
    ])
    expect(problems('a: 1\n---\nb: 2\n')).toEqual([
      expect.stringContaining("f:2:1: a second document ('---')"),
    ])
    expect(problems('a: *nowhere\n')).toEqual([expect.stringContaining('f:1:')])
  })

  it('says how to write a path of Windows, once for each text', () => {
    expect(problems(String.raw`a: "C:\models\my.gguf"${'\n'}b: 'C:\models\my.gguf'${'\n'}`)).toEqual([
      String.raw`f:1:7: not valid YAML: in double quotes, '\' begins a special character. Use single quotes, as in 'C:\models\a.gguf'.`,
    ])
  })

  it('limits the expansion of aliases', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]', ...'bcdefg'].map((line, index) => {
      const previous = 'abcdefg'[index - 1]!
      return index === 0
        ? line
        : `${line}: &${line} [${Array.from({ length: 10 }, () => `*${previous}`).join(',')}]`
    })
    expect(problems(bomb.join('\n'))).toEqual([expect.stringMatching(/not valid YAML: .*alias/)])
  })

  it.each(['[', '{', '{a: ', '[\n', '- ', '? ', '- a: ', 'a: ', '[{x: '])(
    'refuses what is nested too deeply without parsing it: many of %j',
    (part) => {
      expect(problems(`\n  ${part.repeat(50_000)}`)).toEqual([
        expect.stringMatching(
          /^f:\d+:\d+: lists and keys are nested more deeply than in any configuration\.$/,
        ),
      ])
    },
  )

  it('refuses too many keys, and describes the first mistakes of very many', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1\n`).join('')
    expect(problems(keys)).toEqual([expect.stringMatching(/^f:10001:7: .* no more than 10000 keys/)])
    expect(problems('a: "\\q"\n'.repeat(2000))).toHaveLength(51)
    expect(problems('"'.repeat(130_000)).length).toBeGreaterThan(0)
  })

  it('does not take the text of a value for nesting', () => {
    const text = ['a: |', `  ${'[ - ? {'.repeat(50)}`, `b: "${'['.repeat(200)}"`, `c: ${'x - '.repeat(100)}`]
    const wide = `d: { ${Array.from({ length: 200 }, (_, index) => `k${index}: [1]`).join(', ')} }`
    expect(problems([...text, wide].join('\n'))).toEqual([])
  })

  it.each(['a: &a [*a]', 'a: &a { b: { c: *a } }', '&a [*a]'])(
    'refuses a value that contains itself: %s',
    (text) => {
      expect(problems(text)).toEqual([expect.stringContaining('a value contains itself')])
    },
  )

  it('locates keys and values, also in lists and behind aliases', () => {
    const { locate } = parseYaml('f', 'a:\n  - b: 1\n    c: { d: 2 }\n  - b: 3\n')
    expect(locate(['a', 0, 'c', 'd'], 'value')).toMatchObject({ line: 3, column: 13 })
    expect(locate(['a', 1, 'b'], 'key')).toMatchObject({ line: 4, column: 5 })
    // A missing key has the place of its entry.
    expect(locate(['a', 1, 'none'], 'value')).toMatchObject({ line: 4, column: 5 })
  })

  it('never throws, whatever the text', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom('a:', '\t- x', '  b: [', '? ', '&a *a', '<<: *a', '"', '|', '}', '---'),
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const file = parseYaml('f', lines.join('\n'))
        for (const { origin } of file.problems)
          if (origin.kind === 'file') expect(origin.line).toBeGreaterThan(0)
      }),
    )
  })
})
