import { Terminal } from '../terminal/terminal.ts'

export interface RecordedTerminal {
  readonly terminal: Terminal
  readonly stdout: () => string
  readonly stderr: () => string
  /** Both streams in the order of writing, as a screen would show them. */
  readonly screen: () => string
}

/** Creates a terminal that records its streams as texts. */
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
