import type { Texts } from '../../i18n/en.ts'
import { shortcuts, type Shortcut, type ShortcutAction } from './shortcuts.ts'

/** Apple computers have ⌘ where others have Ctrl. */
export const isApple = /Mac|iPhone|iPad|iPod/.test(navigator.platform)

/** Returns the keys of a shortcut as printed on the keyboard, in the order of pressing. */
export function keyWords(
  { mod, alt, shift, key }: Shortcut,
  texts: Texts,
  apple = isApple,
): readonly string[] {
  return [
    ...(mod ? [apple ? '⌘' : texts.keyControl] : []),
    ...(alt ? [apple ? '⌥' : texts.keyAlt] : []),
    ...(shift === true ? [apple ? '⇧' : texts.keyShift] : []),
    keyName(key, texts),
  ]
}

function keyName(key: string, texts: Texts): string {
  const names: Readonly<Record<string, string>> = {
    escape: texts.keyEscape,
    enter: texts.keyEnter,
    arrowup: '↑',
    arrowdown: '↓',
  }
  return names[key] ?? key.toUpperCase()
}

/** Returns the keys of an action on this computer, for the tooltip of its button. */
export function shortcutHint(action: ShortcutAction, texts: Texts): string {
  const shortcut = shortcuts.find((other) => other.action === action)
  return shortcut ? keyWords(shortcut, texts).join(isApple ? '' : '+') : ''
}
