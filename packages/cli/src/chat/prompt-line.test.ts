import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createPromptLine } from './prompt-line.ts'

function start() {
  const input = new PassThrough()
  const output = new PassThrough()
  output.resume()
  return { input, read: createPromptLine(input, output) }
}

describe('createPromptLine', () => {
  it('reads a line', async () => {
    const { input, read } = start()
    const line = read('> ')
    input.write('hello\r')
    expect(await line).toEqual({ type: 'message', text: 'hello' })
  })

  it('reads several lines between fences as one message', async () => {
    const { input, read } = start()
    const message = read('> ')
    for (const line of ['"""one', 'two', 'three"""']) {
      input.write(`${line}\r`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(await message).toEqual({ type: 'message', text: 'one\ntwo\nthree' })
  })

  it('distinguishes Ctrl+C from Ctrl+D', async () => {
    const { input, read } = start()
    const interrupted = read('> ')
    input.write('\u0003')
    expect(await interrupted).toEqual({ type: 'interrupt' })
    const ended = read('> ')
    input.write('\u0004')
    expect(await ended).toEqual({ type: 'end' })
  })

  it('keeps a history for the arrow keys', async () => {
    const { input, read } = start()
    const first = read('> ')
    input.write('hello\r')
    await first
    const again = read('> ')
    input.write('\u001b[A\r')
    expect(await again).toEqual({ type: 'message', text: 'hello' })
  })
})
