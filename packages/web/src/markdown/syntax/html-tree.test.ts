import type { Nodes } from 'mdast'
import { describe, expect, it } from 'vitest'
import { nestTags } from './html-tree.ts'

const COUNT = 20_000

/** A paragraph of tags that count how often they are read. */
function paragraphOf(values: readonly string[]) {
  const reads = { count: 0 }
  const tags = values.map((value) => ({
    type: 'inlineTag',
    get value() {
      reads.count++
      return value
    },
  }))
  return {
    reads,
    paragraph: { type: 'paragraph', children: tags } as unknown as Nodes & { children: Nodes[] },
  }
}

const repeated = (value: string): readonly string[] => Array.from({ length: COUNT }, () => value)

describe('many unpaired tags', () => {
  it.each([
    ['beginnings', repeated('<sub>')],
    ['ends', repeated('</sub>')],
    ['beginnings, then ends of another name', [...repeated('<sub>'), ...repeated('</sup>')]],
  ])('stay text, and each is read only a few times: %s', (_, values) => {
    const { reads, paragraph } = paragraphOf(values)
    nestTags(paragraph)
    expect(reads.count).toBeLessThan(10 * values.length)
    expect(paragraph.children.map((child) => (child as { value?: string }).value)).toEqual(values)
    expect(new Set(paragraph.children.map(({ type }) => type))).toEqual(new Set(['text']))
  })
})
