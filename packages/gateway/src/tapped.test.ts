import { describe, expect, it } from 'vitest'
import { tapped } from './tapped.ts'

/** What a tap and its events went through, in order. */
let log: string[]

function events(error?: Error) {
  log = []
  return tapped<number>(() => ({
    events: (async function* () {
      try {
        yield 1
        yield 2
        if (error !== undefined) throw error
      } finally {
        log.push('closed')
      }
    })(),
    asked: () => log.push('asked'),
    see: (event) => log.push(`saw ${event}`),
    failed: ({ message }: Error) => log.push(`failed: ${message}`),
    ended: () => log.push('ended'),
  }))
}

async function read(from: AsyncIterable<number>, until = Infinity): Promise<void> {
  for await (const event of from) {
    log.push(`read ${event}`)
    if (event === until) break
  }
}

const both = ['asked', 'saw 1', 'read 1', 'asked', 'saw 2', 'read 2', 'asked']

describe('tapped', () => {
  it('shows each event before it passes it on, and tells of the end', async () => {
    const all = events()
    await read(all)
    expect(log).toEqual([...both, 'closed', 'ended'])
    await read(all)
    expect(log).toHaveLength(9)
  })

  it('passes an error on, and tells of it before the end', async () => {
    await expect(read(events(new Error('broken')))).rejects.toThrow('broken')
    expect(log).toEqual([...both, 'closed', 'failed: broken', 'ended'])
  })

  it('ends what it taps when its reader leaves, and asks no more', async () => {
    const all = events()
    await read(all, 1)
    expect(log).toEqual(['asked', 'saw 1', 'read 1', 'closed', 'ended'])
    expect(await all.next()).toEqual({ done: true, value: undefined })
    expect(log).toHaveLength(5)
  })

  it.each(['asked', 'see'] as const)(
    'ends what it taps when `%s` of the tap fails, with its error',
    async (method) => {
      let calls = 0
      const log: string[] = []
      const failing = tapped<number>(() => ({
        events: (async function* () {
          try {
            yield 1
            yield 2
          } finally {
            log.push('closed')
            throw new Error('the end failed, too')
          }
        })(),
        see: (event) => log.push(`saw ${event}`),
        [method]: () => {
          if (++calls === 2) throw new Error('full')
        },
        failed: ({ message }: Error) => log.push(`failed: ${message}`),
        ended: () => log.push('ended'),
      }))
      await expect(
        (async () => {
          for await (const event of failing) log.push(`read ${event}`)
        })(),
      ).rejects.toThrow('full')
      expect(log.slice(-3)).toEqual(['closed', 'failed: full', 'ended'])
      expect(await failing.next()).toEqual({ done: true, value: undefined })
    },
  )

  it('begins nothing that is never asked for', async () => {
    const all = events()
    await all.return!()
    expect(await all.next()).toEqual({ done: true, value: undefined })
    expect(log).toEqual([])
  })

  it('fails with the error of its beginning, once', async () => {
    const none = tapped<number>(() => {
      throw new Error('no')
    })
    await expect(none.next()).rejects.toThrow('no')
    expect(await none.next()).toEqual({ done: true, value: undefined })
  })
})
