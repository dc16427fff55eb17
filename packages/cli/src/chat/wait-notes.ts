import { describeWait, type SwarmWait, type WaitOptions } from '@petals-chat/engine'
import type { Terminal } from '../terminal/terminal.ts'

/** The end of a wait is extended whenever a server responds. A new line is printed if it moves by this many milliseconds. */
const minimumExtensionMs = 30_000

/** Returns a listener that reports what an answer waits for: once for each wait, not at each change of its end. */
export function waitNotes(terminal: Terminal): NonNullable<WaitOptions['onWait']> {
  let reported: SwarmWait | undefined
  return (wait) => {
    const isSame =
      reported !== undefined &&
      wait !== undefined &&
      describeWait(reported) === describeWait(wait) &&
      wait.until - reported.until < minimumExtensionMs
    if (isSame) return
    reported = wait
    if (wait === undefined) return
    const until = new Date(wait.until).toLocaleTimeString()
    terminal.note(terminal.style('dim', `\n(${describeWait(wait)}, until ${until} at the latest)`))
  }
}
