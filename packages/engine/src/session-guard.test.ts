import { describe, expect, it } from 'vitest'
import { InvalidRequestError, ModelUnavailableError } from './errors.ts'
import { SessionGuard } from './session-guard.ts'

describe('SessionGuard', () => {
  it('allows one call at a time', () => {
    const guard = new SessionGuard()
    {
      using _call = guard.enter()
      expect(guard.busy).toBe(true)
      expect(() => guard.enter()).toThrow(InvalidRequestError)
      expect(guard.busy).toBe(true)
    }
    expect(guard.busy).toBe(false)
    guard.enter()[Symbol.dispose]()
  })

  it('is free again when the caller leaves a generator that holds it', async () => {
    const guard = new SessionGuard()
    async function* numbers() {
      using _call = guard.enter()
      for (let next = 0; ; next++) yield next
    }
    for await (const number of numbers()) if (number === 2) break
    expect(guard.busy).toBe(false)
  })

  it('refuses calls after closing, and closes once', () => {
    const guard = new SessionGuard()
    expect(guard.close()).toBe(true)
    expect(guard.close()).toBe(false)
    expect(guard.closed).toBe(true)
    expect(() => guard.enter()).toThrow(ModelUnavailableError)
  })
})
