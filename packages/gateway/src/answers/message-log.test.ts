import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnswerGoneError } from '../errors.ts'
import { MessageLog, type NumberedMessage } from './message-log.ts'

const never = new AbortController().signal

async function readAll(log: MessageLog, after = 0, signal = never): Promise<NumberedMessage[]> {
  const messages: NumberedMessage[] = []
  for await (const message of log.read(after, signal)) messages.push(message)
  return messages
}

function logOf(...texts: string[]): MessageLog {
  const log = new MessageLog()
  for (const text of texts) log.append(text)
  return log
}

describe('MessageLog', () => {
  it('gives what comes after a number, and waits for what is still to come', async () => {
    const log = logOf('a', 'b')
    const [all, rest, nothing] = [readAll(log), readAll(log, 1), readAll(log, 3)]
    log.append('c')
    log.end()
    expect(await all).toEqual([
      { number: 1, text: 'a' },
      { number: 2, text: 'b' },
      { number: 3, text: 'c' },
    ])
    expect((await rest).map(({ number }) => number)).toEqual([2, 3])
    expect(await nothing).toEqual([])
  })

  it('counts the bytes of what it has', () => {
    const log = logOf('abc', 'é', '😀')
    expect(log.bytes).toBe(9)
    log.dropOldest(4)
    expect([log.bytes, log.last]).toEqual([4, 3])
    log.clear()
    expect([log.bytes, log.last]).toEqual([0, 3])
  })

  it('keeps its newest message, and says of the others that they are gone', async () => {
    const log = logOf('a', 'b', 'c')
    log.dropOldest(1_000)
    log.end()
    expect(await readAll(log, 2)).toEqual([{ number: 3, text: 'c' }])
    await expect(readAll(log, 1)).rejects.toThrow(AnswerGoneError)
    await expect(readAll(log, 1)).rejects.toThrow('Parts 1 to 2 of this answer are no longer kept.')
  })

  it('fails the reader that stands where messages were dropped, not the one at the end', async () => {
    const log = logOf('a', 'b')
    const slow = log.read(0, never)
    await slow.next()
    const fast = readAll(log, 2)
    log.clear()
    log.end()
    await expect(slow.next()).rejects.toThrow(AnswerGoneError)
    expect(await fast).toEqual([])
  })

  it('stops waiting with the reason of the signal', async () => {
    const controller = new AbortController()
    const reading = readAll(logOf('a'), 0, controller.signal)
    controller.abort(new Error('gone'))
    await expect(reading).rejects.toThrow('gone')
  })

  it('gives every reader every message once and in order, whenever it comes and however slow it is', async () => {
    const readers = fc.array(
      fc.record({ joins: fc.nat(20), pauses: fc.array(fc.nat(3), { maxLength: 8 }) }),
      {
        minLength: 1,
        maxLength: 5,
      },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string(), { maxLength: 20 }), readers, async (texts, plans) => {
        const log = new MessageLog()
        const read = async ({ pauses }: { readonly pauses: readonly number[] }, after: number) => {
          const got: NumberedMessage[] = []
          for await (const message of log.read(after, never)) {
            for (let turn = 0; turn < (pauses[got.length % pauses.length] ?? 0); turn++)
              await Promise.resolve()
            got.push(message)
          }
          return { after, got }
        }
        const reading: ReturnType<typeof read>[] = []
        for (const [index, text] of texts.entries()) {
          for (const plan of plans) if (plan.joins === index) reading.push(read(plan, index))
          log.append(text)
          await Promise.resolve()
        }
        reading.push(...plans.map((plan) => read(plan, Math.min(plan.joins, texts.length))))
        log.end()
        for (const { after, got } of await Promise.all(reading)) {
          expect(got).toEqual(texts.slice(after).map((text, index) => ({ number: after + index + 1, text })))
        }
      }),
      { numRuns: 200 },
    )
  })
})
