import { describe, expect, it } from 'vitest'

interface Candidate {
  readonly version: string
  readonly file: string
}

const { chooseNode, compareVersions, isSafe } = (await import(
  new URL('./node-versions.mjs', import.meta.url).href
)) as {
  chooseNode: (candidates: readonly Candidate[]) => Candidate | undefined
  compareVersions: (a: string, b: string) => number
  isSafe: (version: string) => boolean
}

const candidates = (...versions: readonly string[]) => versions.map((version) => ({ version, file: version }))
const chosen = (...versions: readonly string[]) => chooseNode(candidates(...versions))?.file

describe('the Node of the set-up', () => {
  it('is that of npm if it is safe, also if the machine has a newer one', () => {
    expect(chosen('24.22.3', '26.12.1')).toBe('24.22.3')
  })

  it("is the machine's own if only that is safe", () => {
    expect(chosen('24.0.0', '24.22.3')).toBe('24.22.3')
    expect(chosen('24.18.1', '22.23.5')).toBe('22.23.5')
  })

  it('is the newest if none is safe, and none if all are too old', () => {
    expect(chosen('24.18.1', '22.12.0')).toBe('24.18.1')
    expect(chosen('24.18.1', '24.20.0')).toBe('24.20.0')
    expect(chosen('18.20.0', '22.11.0')).toBeUndefined()
    expect(chosen()).toBeUndefined()
  })

  it('compares versions as numbers', () => {
    expect(compareVersions('24.9.0', '24.10.0')).toBeLessThan(0)
    expect(compareVersions('24.22.3', '24.22.3')).toBe(0)
    expect(isSafe('24.22.10')).toBe(true)
    expect(isSafe('25.9.0')).toBe(false)
  })
})
