import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { steadyStream } from './steady-stream.ts'

const diskFull = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })

let folder: string
beforeAll(() => (folder = mkdtempSync(path.join(tmpdir(), 'steady-stream-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a stream into a file', () => {
  it('drops what does not fit on a full disk, continues later, and reports how much was lost', () => {
    const file = path.join(folder, 'log')
    const fd = openSync(file, 'w')
    let isFull = false
    const lost: (string | undefined)[] = []
    const stream = steadyStream({ fd } as never, {
      onLost: ({ code }) => lost.push(code),
      write: (to, bytes) => {
        if (isFull) throw diskFull
        return writeSync(to, bytes, 0, Math.min(bytes.length, 5))
      },
    })
    stream.write('first, longer than one write\n')
    isFull = true
    for (const text of ['second\n', 'third\n']) expect(() => stream.write(text)).not.toThrow()
    isFull = false
    stream.write('fourth\n')
    stream.write('fifth\n')
    closeSync(fd)
    expect(lost).toEqual(['ENOSPC', 'ENOSPC'])
    expect(readFileSync(file, 'utf8').split('\n')).toEqual([
      'first, longer than one write',
      expect.stringMatching(/^2 lines before this one could not be written/),
      'fourth',
      'fifth',
      '',
    ])
  })

  it('is the stream itself if it is neither a file nor a device', () => {
    const stream = { fd: -1, write: () => true }
    expect(steadyStream(stream as never)).toBe(stream)
  })
})
