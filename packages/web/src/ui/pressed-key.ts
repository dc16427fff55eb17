import type { KeyboardEvent as ReactKeyboardEvent } from 'react'

type Press = Pick<KeyboardEvent, 'key' | 'keyCode' | 'isComposing'>

/** What browsers give as the code of a key that an input method has taken. */
const TAKEN_BY_INPUT_METHOD = 229

/**
 * The key of a press that is meant for the page. Undefined where it is part of the input of Chinese, Japanese or Korean
 * words: Enter takes a word there, Escape drops it, and the arrows choose. Safari ends the composition before it tells
 * of the key that ended it, and then only the code says so. Every handler of keys asks here.
 */
export function pressedKey(event: Press | ReactKeyboardEvent): string | undefined {
  const press: Press = 'nativeEvent' in event ? event.nativeEvent : event
  return press.isComposing || press.keyCode === TAKEN_BY_INPUT_METHOD ? undefined : press.key
}
