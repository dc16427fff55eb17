import { expect, it } from 'vitest'
import { packRows, toRanges } from './block-ranges.ts'

it('neighbouring blocks make one range', () => {
  expect(toRanges([])).toEqual([])
  expect(toRanges([0, 1, 2, 7, 9, 10])).toEqual([
    { start: 0, end: 3 },
    { start: 7, end: 8 },
    { start: 9, end: 11 },
  ])
})

it('overlapping spans get separate rows, the others share one', () => {
  const spans = [
    { start: 8, end: 16 },
    { start: 0, end: 8 },
    { start: 4, end: 12 },
    { start: 12, end: 16 },
    { start: 0, end: 16 },
  ]
  expect(packRows(spans)).toEqual([[spans[4]], [spans[1], spans[0]], [spans[2], spans[3]]])
})
