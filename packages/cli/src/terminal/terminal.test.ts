import { describe, expect, it } from 'vitest'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { Terminal } from './terminal.ts'

describe('Terminal', () => {
  it('keeps its status line below all other output', () => {
    const { terminal, screen } = recordingTerminal({ isTTY: true })
    terminal.status('half')
    terminal.out('a result')
    terminal.note('a note')
    terminal.status('')
    terminal.out('done')
    const erase = '\r\u001b[2K'
    expect(screen()).toBe(
      `${erase}half` + `${erase}a result\nhalf` + `${erase}a note\nhalf` + `${erase}` + 'done\n',
    )
  })

  it('has no status line if the output is not a terminal', () => {
    const { terminal, screen } = recordingTerminal()
    terminal.status('half')
    terminal.out('done')
    expect(screen()).toBe('done\n')
  })

  it('separates results from notes', () => {
    const { terminal, stdout, stderr } = recordingTerminal()
    terminal.out('result')
    terminal.note('note')
    terminal.noteStream.write('log\n')
    expect(stdout()).toBe('result\n')
    expect(stderr()).toBe('note\nlog\n')
  })

  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, true],
    [true, { FORCE_COLOR: '0' }, false],
  ])('on a terminal: %s, with %j, colours: %s', (isTTY, environment, expected) => {
    const stream = { isTTY, write: () => {} }
    const terminal = new Terminal({ stdout: stream, stderr: stream }, environment)
    expect(terminal.style('red', 'x') !== 'x').toBe(expected)
  })
})
