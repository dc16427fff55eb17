import { describe, expect, it } from 'vitest'
import { interpolate } from './interpolate.ts'

const run = (data: unknown, environment: Record<string, string> = {}) =>
  interpolate(data, { environment, convert: (text) => text })

describe('interpolate', () => {
  it('replaces variables in texts, at any depth', () => {
    const { data, replaced } = run({ a: ['${X}', 'x'], b: { c: 'pre-${X}-${Y}' } }, { X: '1', Y: '2' })
    expect(data).toEqual({ a: ['1', 'x'], b: { c: 'pre-1-2' } })
    expect([...replaced]).toEqual([
      ['a[0]', '${X}'],
      ['b.c', 'pre-${X}-${Y}'],
    ])
  })

  it('falls back if a variable is not set or empty, as a shell does', () => {
    expect(run('${X:-a}').data).toBe('a')
    expect(run('${X:-a}', { X: '' }).data).toBe('a')
    expect(run('${X:-}').data).toBe('')
    expect(run('${X}', { X: '' }).data).toBe('')
  })

  it('names the variables that are missing', () => {
    expect(run({ a: '${X}${Y}' }, { Y: '1' }).missing).toEqual([{ path: ['a'], name: 'X' }])
  })

  it('leaves text that only looks like a variable unchanged', () => {
    for (const text of ['$X', '${}', '${1}', '${X', 'a}b', '$']) expect(run(text).data).toBe(text)
    expect(run('$${X}').data).toBe('${X}')
    expect(run({ a: 1, b: null, c: true }).data).toEqual({ a: 1, b: null, c: true })
  })

  it('does not expand what came out of the environment', () => {
    expect(run('${X}', { X: '${Y}', Y: 'no' }).data).toBe('${Y}')
  })
})
