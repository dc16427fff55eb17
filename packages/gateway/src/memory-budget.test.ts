import { CapacityError } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from './memory-budget.ts'

describe('MemoryBudget', () => {
  it('is shared by all reservations, and gets back what they free', () => {
    const budget = new MemoryBudget(100)
    const first = budget.open()
    {
      using second = budget.open()
      first.grow(60)
      second.grow(40)
      expect(first.tryGrow(1)).toBe(false)
      expect(() => second.grow(1)).toThrow(CapacityError)
      expect(budget.used).toBe(100)
    }
    expect(budget.used).toBe(60)
    first.shrink(1_000)
    expect(budget.used).toBe(0)
  })
})
