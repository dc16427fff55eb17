import { describe, expect, it } from 'vitest'
import { formatBytes, formatDuration, formatTable } from './format.ts'

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [98_362_432, '98.4 MB'],
    [123_456_789, '123 MB'],
    [4_700_000_000, '4.7 GB'],
    [7e15, '7000 TB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
})

describe('formatDuration', () => {
  it.each([
    [0.4, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min 00 s'],
    [125, '2 min 05 s'],
    [4200, '1 h 10 min'],
    [-1, '0 s'],
  ])('%d is %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text)
  })
})

describe('formatTable', () => {
  it('aligns its columns', () => {
    expect(
      formatTable([
        ['a', 'bbb', 'c'],
        ['aaaa', 'b', ''],
      ]),
    ).toEqual(['a     bbb  c', 'aaaa  b'])
  })
})
