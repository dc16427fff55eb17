import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { grammarSource } from '../grammar-source.ts'

const page = await readFile(new URL('../../../../../docs/structured-outputs.md', import.meta.url), 'utf8')
const refused = [...page.matchAll(/^\| (.+?) +\| `(\{.+\})` +\|$/gm)].map(([, what, json]) => ({
  what,
  json,
}))

describe('docs/structured-outputs.md', () => {
  it('has a table of refused keywords', () => {
    expect(refused.length).toBeGreaterThan(5)
  })

  for (const { what, json } of refused) {
    it(`is right that a strict schema is refused, and another one compiled without the keyword: ${what}`, () => {
      const schema: unknown = JSON.parse(json!)
      expect(() => grammarSource({ type: 'json-schema', schema })).toThrow(
        /^The JSON schema can't be used: \$\./,
      )
      expect(() => grammarSource({ type: 'json-schema', schema, strict: false })).not.toThrow()
    })
  }

  it('names the formats that are kept', () => {
    const formats = /`format`: ([^;.]+)\./.exec(page)![1]!.match(/[a-z0-9-]+/g)!
    for (const format of formats) {
      const source = grammarSource({ type: 'json-schema', schema: { type: 'string', format } })
      expect(source, format).not.toBe(grammarSource({ type: 'json-schema', schema: { type: 'string' } }))
    }
  })
})
