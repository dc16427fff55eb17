import { expect, it } from 'vitest'
import { describeWait } from './swarm-status.ts'

it.each([
  [[{ start: 12, end: 24 }], 'waiting for a server of blocks 12-23'],
  [[{ start: 3, end: 4 }], 'waiting for a server of block 3'],
  [
    [
      { start: 0, end: 1 },
      { start: 5, end: 8 },
    ],
    'waiting for a server of blocks 0, 5-7',
  ],
])('names blocks with both ends: %j', (blocks, words) => {
  expect(describeWait({ blocks, since: 0, until: 1 })).toBe(words)
})
