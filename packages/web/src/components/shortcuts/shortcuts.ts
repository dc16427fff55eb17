import type { PlainText } from '../../state/notices.ts'

export type ShortcutAction =
  | 'new-chat'
  | 'search'
  | 'previous-chat'
  | 'next-chat'
  | 'focus-message'
  | 'stop'
  | 'regenerate'
  | 'copy-answer'
  | 'toggle-sidebar'
  | 'settings'
  | 'swarm'
  | 'show-shortcuts'
  | 'undo'
  | 'notices'

export type ShortcutGroup = 'shortcutsChats' | 'shortcutsAnswers' | 'shortcutsPage'

export interface Shortcut {
  /** Missing if a field handles its own keys: the shortcut is only listed. */
  readonly action?: ShortcutAction
  readonly group: ShortcutGroup
  readonly text: PlainText
  /** `KeyboardEvent.key` in lower case. */
  readonly key: string
  /** Ctrl, or ⌘ on Apple computers. */
  readonly mod?: true
  readonly alt?: true
  /** `any` for characters that need Shift on some keyboards. */
  readonly shift?: true | 'any'
  /** Whether the action repeats while the key is held down. */
  readonly repeats?: true
  /** Fields use these keys too: lists open, and on Apple computers the caret moves. */
  readonly movesInFields?: true
  /** The shortcut does not apply in fields. */
  readonly notInFields?: true
}

/**
 * All shortcuts, for the handler and for the list. Those that other chat pages have are the same here. None is a
 * single letter (WCAG 2.1.4), none is reserved by browsers, and none needs Ctrl with Alt, which types
 * characters on many keyboards.
 */
export const shortcuts: readonly Shortcut[] = [
  { action: 'new-chat', group: 'shortcutsChats', text: 'newChat', mod: true, shift: true, key: 'o' },
  { action: 'search', group: 'shortcutsChats', text: 'searchChats', mod: true, key: 'k' },
  {
    action: 'previous-chat',
    group: 'shortcutsChats',
    text: 'shortcutPreviousChat',
    alt: true,
    key: 'arrowup',
    repeats: true,
    movesInFields: true,
  },
  {
    action: 'next-chat',
    group: 'shortcutsChats',
    text: 'shortcutNextChat',
    alt: true,
    key: 'arrowdown',
    repeats: true,
    movesInFields: true,
  },
  { group: 'shortcutsAnswers', text: 'shortcutSend', key: 'enter' },
  { group: 'shortcutsAnswers', text: 'shortcutNewLine', shift: true, key: 'enter' },
  {
    action: 'focus-message',
    group: 'shortcutsAnswers',
    text: 'shortcutFocusMessage',
    shift: true,
    key: 'escape',
  },
  { action: 'stop', group: 'shortcutsAnswers', text: 'stopHint', key: 'escape' },
  {
    action: 'regenerate',
    group: 'shortcutsAnswers',
    text: 'shortcutRegenerate',
    mod: true,
    shift: true,
    key: 'enter',
  },
  {
    action: 'copy-answer',
    group: 'shortcutsAnswers',
    text: 'shortcutCopyAnswer',
    mod: true,
    shift: true,
    key: 'c',
  },
  {
    action: 'toggle-sidebar',
    group: 'shortcutsPage',
    text: 'shortcutToggleSidebar',
    mod: true,
    shift: true,
    key: 's',
  },
  { action: 'settings', group: 'shortcutsPage', text: 'settings', mod: true, shift: 'any', key: '.' },
  { action: 'swarm', group: 'shortcutsPage', text: 'shortcutSwarm', mod: true, shift: true, key: 'x' },
  { action: 'undo', group: 'shortcutsPage', text: 'shortcutUndo', mod: true, key: 'z', notInFields: true },
  { action: 'notices', group: 'shortcutsPage', text: 'shortcutNotices', key: 'f8' },
  {
    action: 'show-shortcuts',
    group: 'shortcutsPage',
    text: 'showShortcuts',
    mod: true,
    shift: 'any',
    key: '/',
  },
]

type KeyPress = Pick<
  KeyboardEvent,
  'key' | 'code' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'getModifierState'
>

/** Returns the shortcut of a key press. */
export function findShortcut(press: KeyPress, isApple: boolean): Shortcut | undefined {
  return shortcuts.find((shortcut) => shortcut.action && isPressed(shortcut, press, isApple))
}

function isPressed({ key, mod, alt, shift }: Shortcut, press: KeyPress, isApple: boolean): boolean {
  const [modKey, otherKey] = isApple ? [press.metaKey, press.ctrlKey] : [press.ctrlKey, press.metaKey]
  return (
    keyOf(press) === key &&
    modKey === (mod ?? false) &&
    !otherKey &&
    press.altKey === (alt ?? false) &&
    (shift === 'any' || press.shiftKey === (shift ?? false)) &&
    !press.getModifierState('AltGraph')
  )
}

/** Returns the letter of the key; on a keyboard without Latin letters, the Latin letter in that position. */
function keyOf({ key, code }: KeyPress): string {
  const letter = /^Key([A-Z])$/.exec(code)?.[1]
  return (letter && !/^[\w\p{P}]/u.test(key) ? letter : key).toLowerCase()
}
