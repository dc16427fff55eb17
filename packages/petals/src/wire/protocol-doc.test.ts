import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { vectorsOf } from '../../fixtures/vectors.ts'

const root = new URL('../../../../', import.meta.url)
const page = readFileSync(new URL('docs/protocol.md', root), 'utf8')

describe('docs/protocol.md', () => {
  it('lists every golden vector in its index, and no other', () => {
    const [, index = ''] = page.split('## 13. Golden vectors')
    const patterns = [...index.split('## 14')[0]!.matchAll(/`([a-z_]+(?:\/[*\w]+)?)`/g)].map(([, id]) => id!)
    const covers = (pattern: string, id: string): boolean =>
      pattern.endsWith('/*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern
    const ids = vectorsOf('').map(({ id }) => id)
    expect(ids.filter((id) => !patterns.some((pattern) => covers(pattern, id)))).toEqual([])
    const listed = patterns.filter((pattern) => pattern.includes('/') || ids.includes(pattern))
    expect(listed.filter((pattern) => !ids.some((id) => covers(pattern, id)))).toEqual([])
  })

  it.each([
    ['unary/request', /vector `unary\/request`\):\n\n```\n([^`]*)```/],
    ['tensor/float32', /vector `tensor\/float32`\):\n\n```\n([^`]*)```/],
  ])('shows the bytes of %s as they are recorded', (id, block) => {
    const shown = [...page.match(block)![1]!.matchAll(/^ *((?:[0-9a-f]{2,}(?:…)? ?)+)/gm)].map(([, text]) =>
      text!.trim(),
    )
    const { hex } = vectorsOf(id)[0]!
    const parts = shown.flatMap((line) => line.replaceAll(' ', '').split('…')).filter((part) => part !== '')
    let at = 0
    for (const part of parts) {
      const found = hex.indexOf(part, at)
      expect(found, `${part} is in ${hex} after ${at}`).toBeGreaterThanOrEqual(at)
      at = found + part.length
    }
  })

  it('shows the key of the example as it is recorded', () => {
    const { preimage_hex: preimage, hex } = vectorsOf('dhtid/SmolLM2')[0]!
    expect(page).toContain(`${preimage.slice(0, 2)} ${preimage.slice(2)}`)
    expect(page).toContain(hex)
  })

  it('names only folders and files of this repository that are there', () => {
    const paths = [...page.matchAll(/`(packages\/[\w/.-]+)`/g)].map(([, path]) => path!)
    expect(paths.length).toBeGreaterThan(5)
    expect(paths.filter((path) => !existsSync(new URL(path, root)))).toEqual([])
  })
})
