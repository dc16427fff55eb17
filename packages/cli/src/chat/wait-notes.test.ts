import { expect, it } from 'vitest'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { waitNotes } from './wait-notes.ts'

it('reports each wait once, and again if it is extended by much or was interrupted', () => {
  const { terminal, stderr } = recordingTerminal()
  const onWait = waitNotes(terminal)
  const wait = (start: number, until: number) => onWait({ blocks: [{ start, end: 24 }], since: 0, until })
  const notes = () => stderr().match(/waiting for a server of blocks \d+-23/g) ?? []
  for (const until of [120_000, 121_000, 125_000]) wait(12, until)
  expect(notes()).toHaveLength(1)
  wait(12, 155_000)
  wait(4, 155_000)
  onWait(undefined)
  wait(4, 155_000)
  expect(notes().map((text) => text.slice(-5))).toEqual(['12-23', '12-23', ' 4-23', ' 4-23'])
})
