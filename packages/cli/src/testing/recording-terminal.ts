import { Terminal } from '../terminal/terminal.ts'

export interface RecordedTerminal {
  readonly terminal: Terminal
  readonly stdout: () => string
  readonly stderr: () => string
  /** Both, in the order of writing: what a screen would show. */
  readonly screen: () => string
}

/** A terminal whose streams are texts. */
export function recordingTerminal({ isTTY = false, columns = 80 } = {}): RecordedTerminal {
  let stdout = ''
  let stderr = ''
  let screen = ''
  const terminal = new Terminal(
    {
      stdout: { isTTY, columns, write: (text) => ((stdout += text), (screen += text)) },
      stderr: { isTTY, columns, write: (text) => ((stderr += text), (screen += text)) },
    },
    { NO_COLOR: '1' },
  )
  return { terminal, stdout: () => stdout, stderr: () => stderr, screen: () => screen }
}
