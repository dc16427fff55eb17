import { describe, expect, it } from 'vitest'
import { RouteTimes } from './route-times.ts'

describe('RouteTimes', () => {
  it('are kept for the routes that were used lately', () => {
    const routes = new RouteTimes()
    routes.of('a').record(1, 5)
    for (let i = 0; i < 63; i++) routes.of(`${i}`)
    expect(routes.of('a').of(1)).toBe(5)
    for (let i = 0; i < 64; i++) routes.of(`${i}`)
    expect(routes.of('a').of(1)).toBeUndefined()
  })
})
