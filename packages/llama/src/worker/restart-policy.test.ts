import { describe, expect, it } from 'vitest'
import { RestartPolicy } from './restart-policy.ts'

describe('RestartPolicy', () => {
  it('restarts immediately, then after longer and longer pauses, then gives up', () => {
    const policy = new RestartPolicy(4, () => 0)
    expect([1, 2, 3, 4, 5].map(() => policy.next())).toEqual([0, 250, 1000, 4000, undefined])
  })

  it('ignores deaths that are long past', () => {
    let now = 0
    const policy = new RestartPolicy(2, () => now)
    expect([policy.next(), policy.next()]).toEqual([0, 250])
    now = 11 * 60_000
    expect(policy.next()).toBe(0)
  })

  it('allows a new attempt after a minute', () => {
    let now = 0
    const policy = new RestartPolicy(1, () => now)
    expect(policy.cooldown()).toBe(0)
    policy.next()
    expect(policy.next()).toBeUndefined()
    expect(policy.cooldown()).toBe(60_000)
    now = 60_000
    expect(policy.cooldown()).toBe(0)
    expect(policy.next()).toBe(0)
  })

  it('never restarts with a limit of 0', () => {
    expect(new RestartPolicy(0).next()).toBeUndefined()
  })
})
