import { describe, expect, it } from 'vitest'
import { nearest } from './nearest.ts'

const keys = ['host', 'port', 'maxSessionLength', 'top_p', 'top_k']

describe('nearest', () => {
  it.each([
    ['prot', 'port'],
    ['Port', 'port'],
    ['max_session_length', 'maxSessionLength'],
    ['maxSesionLenght', 'maxSessionLength'],
    ['topP', 'top_p'],
    ['hst', 'host'],
  ])('suggests %s → %s', (name, meant) => {
    expect(nearest(name, keys)).toBe(meant)
  })

  it.each(['temperature', 'x', ''])('suggests nothing for %j', (name) => {
    expect(nearest(name, keys)).toBeUndefined()
  })
})
