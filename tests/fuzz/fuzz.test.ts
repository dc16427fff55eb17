import { describe, expect, it } from 'vitest'
import { readCorpus } from './corpus.ts'
import { fuzz, type FuzzTarget } from './fuzz.ts'
import { seededRandom } from './mutate.ts'
import { targets } from './targets/index.ts'

/** For each decoder; `npm run fuzz` runs as many as fit into its time. */
const mutants = 1000

describe('the fuzzer', () => {
  const run = (decode: (bytes: Uint8Array) => void) =>
    fuzz(
      { name: 'test', seeds: [Buffer.from('{"name":"value"}')], run: decode, refusals: [SyntaxError] },
      { corpus: [], random: seededRandom(1), isOver: (runs) => runs > 1000, maxMs: 50 },
    )

  it('finds an error that is no refusal', () => {
    const { findings } = run((bytes) => {
      const value = JSON.parse(Buffer.from(bytes).toString('latin1')) as { readonly name: string }
      value.name.toUpperCase()
    })
    expect(findings.length).toBeGreaterThan(0)
    expect(findings[0]!.problem).toMatch(/TypeError/)
  })

  it('finds an input that takes too long, and one that takes too much memory', () => {
    const kept: unknown[] = []
    const slow = run((bytes) => {
      const endsAt = performance.now() + (bytes.byteLength > 2000 ? 60 : 0)
      while (performance.now() < endsAt);
    })
    expect(slow.findings[0]!.problem).toMatch(/It took \d+ ms/)
    const large = run((bytes) => {
      if (bytes.byteLength > 200 && kept.length < 3) kept.push(Buffer.alloc(100 * 2 ** 20))
    })
    expect(large.findings[0]!.problem).toMatch(/It took \d+ MiB/)
  })

  it('accepts a decoder that decodes or refuses', () => {
    const report = run((bytes) => void JSON.parse(Buffer.from(bytes).toString('latin1')))
    expect(report).toMatchObject({ findings: [], runs: 1001 })
    expect(report.discovered.length).toBeGreaterThan(3)
  })
})

const inputText = (input: Uint8Array): string => Buffer.from(input).toString('base64')

it.each(targets.map((target): readonly [string, FuzzTarget] => [target.name, target]))(
  '%s: the kept inputs and new mutants are decoded or refused, with little memory',
  (name, target) => {
    expect(target.seeds.length).toBeGreaterThan(0)
    for (const seed of target.seeds) expect(() => target.run(seed)).not.toThrow(TypeError)
    const corpus = readCorpus(name)
    const isOver = (runs: number): boolean => runs >= mutants
    const { findings } = fuzz(target, { corpus, random: seededRandom(7), isOver })
    expect(findings.map(({ input, problem }) => `${problem}\n${inputText(input)}`)).toEqual([])
  },
)
