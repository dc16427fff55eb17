import { describeWait, type SwarmWait, type WaitOptions } from '@petals-chat/engine'
import type { Terminal } from '../terminal/terminal.ts'

/** The end of a wait moves with each sign of life. So much is worth a new line, in milliseconds. */
const worthTellingMs = 30_000

/** Notes what an answer waits for: once for each wait, not for each change of its end. */
export function waitNotes(terminal: Terminal): NonNullable<WaitOptions['onWait']> {
  let told: SwarmWait | undefined
  return (wait) => {
    const isSame =
      told !== undefined &&
      wait !== undefined &&
      describeWait(told) === describeWait(wait) &&
      wait.until - told.until < worthTellingMs
    if (isSame) return
    told = wait
    if (wait === undefined) return
    const until = new Date(wait.until).toLocaleTimeString()
    terminal.note(terminal.style('dim', `\n(${describeWait(wait)}, until ${until} at the longest)`))
  }
}
