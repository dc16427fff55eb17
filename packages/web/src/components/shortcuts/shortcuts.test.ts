import { expect, it } from 'vitest'
import { en } from '../../i18n/en.ts'
import { keyWords } from './key-words.ts'
import { findShortcut, shortcuts } from './shortcuts.ts'

interface Press {
  readonly key: string
  readonly code?: string
  readonly ctrl?: true
  readonly meta?: true
  readonly alt?: true
  readonly shift?: true
  readonly altGraph?: true
}

const press = ({ key, code = '', ctrl, meta, alt, shift, altGraph }: Press) => ({
  key,
  code,
  ctrlKey: ctrl ?? false,
  metaKey: meta ?? false,
  altKey: alt ?? false,
  shiftKey: shift ?? false,
  getModifierState: (name: string) => name === 'AltGraph' && altGraph === true,
})

const found = (keys: Press, isApple = false) => findShortcut(press(keys), isApple)?.action

it.each<[string, Press, string | undefined]>([
  ['Ctrl+Shift+O', { key: 'O', code: 'KeyO', ctrl: true, shift: true }, 'new-chat'],
  ['Ctrl+K with caps lock', { key: 'K', code: 'KeyK', ctrl: true }, 'search'],
  ['the place of O on Dvorak', { key: 'R', code: 'KeyO', ctrl: true, shift: true }, undefined],
  ['O of Dvorak', { key: 'O', code: 'KeyS', ctrl: true, shift: true }, 'new-chat'],
  ['K of a Russian keyboard', { key: 'л', code: 'KeyK', ctrl: true }, 'search'],
  ['Ctrl+/ of a German keyboard', { key: '/', code: 'Digit7', ctrl: true, shift: true }, 'show-shortcuts'],
  ['Escape', { key: 'Escape' }, 'stop'],
  ['Shift+Escape', { key: 'Escape', shift: true }, 'focus-message'],
  ['Alt+↑', { key: 'ArrowUp', alt: true }, 'previous-chat'],
  ['a letter', { key: 'k', code: 'KeyK' }, undefined],
  ['?', { key: '?', shift: true }, undefined],
  ['Enter', { key: 'Enter' }, undefined],
  ['copying', { key: 'c', code: 'KeyC', ctrl: true }, undefined],
  ['saving', { key: 's', code: 'KeyS', ctrl: true }, undefined],
  ['⌘K on other computers', { key: 'k', code: 'KeyK', meta: true }, undefined],
  ['a sign with AltGr', { key: '.', ctrl: true, altGraph: true }, undefined],
])('%s', (_, keys, action) => expect(found(keys)).toBe(action))

it('on Apple computers, ⌘ is the key and Ctrl is not', () => {
  expect(found({ key: 'k', code: 'KeyK', meta: true }, true)).toBe('search')
  expect(found({ key: 'k', code: 'KeyK', ctrl: true }, true)).toBeUndefined()
})

it('all shortcuts are distinct, and each has a text', () => {
  for (const isApple of [true, false]) {
    const keys = shortcuts.map((shortcut) => keyWords(shortcut, en, isApple).join('+'))
    expect(new Set(keys).size).toBe(keys.length)
  }
  expect(keyWords(shortcuts[0]!, en, false)).toEqual(['Ctrl', 'Shift', 'O'])
  expect(keyWords(shortcuts[0]!, en, true)).toEqual(['⌘', '⇧', 'O'])
  for (const { text } of shortcuts) expect(en[text]).toMatch(/\w/)
})
