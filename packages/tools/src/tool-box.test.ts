import { describe, expect, it } from 'vitest'
import { toolsConfigSchema } from './config.ts'
import { BuiltInServer } from './built-in/built-in-server.ts'
import { createToolBox } from './tool-box.ts'

describe('a tool that minds neither its time nor its signal', () => {
  it('ends for its caller, and keeps no place among the calls that run', async () => {
    const config = toolsConfigSchema.parse({})
    await using box = await createToolBox(config, { version: '1' })
    const own = BuiltInServer.prototype.call
    let hung = 0
    BuiltInServer.prototype.call = () => {
      hung++
      return new Promise(() => {})
    }
    try {
      const stop = new AbortController()
      const calls = Array.from({ length: 64 }, () => box.call('calculator', {}, { signal: stop.signal }))
      await expect.poll(() => hung).toBe(64)
      stop.abort(new Error('enough'))
      await Promise.all(calls.map((call) => expect(call).rejects.toThrow('enough')))
    } finally {
      BuiltInServer.prototype.call = own
    }
    expect(await box.call('calculator', { expression: '6*7' })).toMatchObject({ text: '42', isError: false })
  })
})
