import type { LoadProgress } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { ProgressDisplay } from './progress.ts'

const megabyte = 1e6
const download = (done: number, total = 100): LoadProgress => ({
  phase: 'download',
  label: 'model.gguf',
  done: done * megabyte,
  total: total * megabyte,
  unit: 'bytes',
})

describe('ProgressDisplay', () => {
  it('draws a bar with bytes, speed and the remaining time', () => {
    const { terminal, screen } = recordingTerminal({ isTTY: true, columns: 120 })
    let now = 0
    const display = new ProgressDisplay(terminal, { now: () => now })
    display.update(download(0))
    now = 2000
    display.update(download(40))
    const line = screen().split('\r\u001b[2K').at(-1)
    expect(line).toBe(
      'Downloading model.gguf  ████████░░░░░░░░░░░░  40 %  40.0 MB of 100 MB  20.0 MB/s  3 s left',
    )
    display.finish()
    expect(screen().endsWith('\r\u001b[2K')).toBe(true)
  })

  it('shows the speed of the last seconds, not of the whole download', () => {
    const { terminal, screen } = recordingTerminal({ isTTY: true, columns: 120 })
    let now = 0
    const display = new ProgressDisplay(terminal, { now: () => now })
    for (; now <= 20_000; now += 1000) display.update(download(now < 10_000 ? 0 : (now - 10_000) / 1000))
    expect(screen().split('\r\u001b[2K').at(-1)).toContain('1.0 MB/s')
  })

  it('never wraps a line', () => {
    const { terminal, screen } = recordingTerminal({ isTTY: true, columns: 40 })
    const display = new ProgressDisplay(terminal)
    display.update({ ...download(40), label: 'a-model-with-a-very-long-name-indeed.gguf' })
    const line = screen().split('\r\u001b[2K').at(-1)!
    expect(line.length).toBeLessThan(40)
    expect(line).toContain('40 %')
  })

  it('prints a line for each tenth if the output is not a terminal', () => {
    const { terminal, stderr } = recordingTerminal()
    const display = new ProgressDisplay(terminal)
    for (let done = 0; done <= 100; done += 2) display.update(download(done))
    const lines = stderr().trim().split('\n')
    expect(lines).toHaveLength(11)
    expect(lines[0]).toBe('Downloading model.gguf: 0 %, 0 B of 100 MB')
    expect(lines.at(-1)).toContain('100 %')
  })

  it('restarts with each step, and supports an unknown size', () => {
    const { terminal, stderr } = recordingTerminal()
    const display = new ProgressDisplay(terminal)
    display.update({ ...download(5), total: undefined })
    display.update({ phase: 'load', label: 'model.gguf', done: 0, unit: 'percent', total: 100 })
    display.update({ phase: 'connect', label: 'the swarm', done: 3, total: 30, unit: 'blocks' })
    expect(stderr().trim().split('\n')).toEqual([
      'Downloading model.gguf: 5.0 MB',
      'Loading model.gguf: 0 %',
      'Connecting to the swarm: 10 %, 3 of 30 blocks',
    ])
  })
})
