import { describe, expect, it } from 'vitest'
import { pressedKey } from './pressed-key.ts'

describe('a key', () => {
  it.each([
    ['Enter alone', { key: 'Enter', keyCode: 13, isComposing: false }, 'Enter'],
    ['Enter that takes a word', { key: 'Enter', keyCode: 229, isComposing: true }, undefined],
    [
      'Enter that takes a word, reported late by Safari',
      { key: 'Enter', keyCode: 229, isComposing: false },
      undefined,
    ],
    ['Enter in the middle of a word', { key: 'Enter', keyCode: 13, isComposing: true }, undefined],
    ['Escape that drops a word', { key: 'Escape', keyCode: 229, isComposing: false }, undefined],
  ])('%s', (_, press, key) => {
    expect(pressedKey(press)).toBe(key)
    expect(pressedKey({ nativeEvent: press } as never)).toBe(key)
  })
})

describe('handlers of keys', () => {
  const sources = import.meta.glob<string>(['../**/*.ts', '../**/*.tsx', '!../**/*.test.ts'], {
    query: '?raw',
    import: 'default',
    eager: true,
  })
  const listening = Object.keys(sources).filter((path) =>
    /onKey(?:Down|Up)=|'key(?:down|up)'/.test(sources[path]!),
  )

  it('there are some', () => expect(listening.length).toBeGreaterThan(8))

  it.each(listening)('%s checks whether the key is meant for the page', (path) => {
    expect(sources[path]).toMatch(/pressedKey\(|moveInList\(/)
  })

  it.each(Object.keys(sources).filter((path) => !path.endsWith('/pressed-key.ts')))(
    '%s decides nothing itself',
    (path) => {
      // Storage events have a key too, of another kind.
      const code = path.endsWith('/stored-value.ts') ? '' : sources[path]
      expect(code).not.toMatch(/\b(?:event|nativeEvent)\.key\b|isComposing|keyCode|onKeyPress|'keypress'/)
    },
  )
})
