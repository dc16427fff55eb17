import type { KeyboardEvent as ReactKeyboardEvent } from 'react'

type Press = Pick<KeyboardEvent, 'key' | 'keyCode' | 'isComposing'>

/** The key code that browsers report for a key that an input method has taken. */
const TAKEN_BY_INPUT_METHOD = 229

/**
 * Returns the key of a press that is meant for the page. Undefined if it is part of the input of Chinese, Japanese or
 * Korean
 * words: there, Enter takes a word, Escape drops it, and the arrows choose. Safari ends the composition before it reports
 * the key that ended it; then only the code shows that. Every key handler must use this function.
 */
export function pressedKey(event: Press | ReactKeyboardEvent): string | undefined {
  const press: Press = 'nativeEvent' in event ? event.nativeEvent : event
  return press.isComposing || press.keyCode === TAKEN_BY_INPUT_METHOD ? undefined : press.key
}
