import type { ModelRegistry, ModelState } from '@petals-chat/engine'
import { formatTable } from '../terminal/format.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { version } from '../version.ts'

/** Prints the first line, before any model is loaded, because the page already opens. */
export function announceStart(terminal: Terminal, url: string): void {
  terminal.out(
    `${terminal.style('bold', `Petals Chat ${version}`)} is listening on ${terminal.style('cyan', url)}`,
  )
}

/** Prints what a user needs once everything is ready: the addresses, the models, and how to stop. */
export async function announceReady(
  terminal: Terminal,
  registry: ModelRegistry,
  [url, ...others]: readonly [string, ...string[]],
): Promise<void> {
  const rows = await Promise.all(
    registry.list().map(async ({ id }) => {
      const state = await registry.state(id)
      return { id, symbol: symbols[state.state], words: describeState(state) }
    }),
  )
  const models = formatTable(rows.map(({ id, words }) => [id, words]))
  const field = (name: string, value: string) =>
    terminal.out(`  ${terminal.style('dim', name.padEnd(8))}${value}`)

  terminal.out()
  field('Chat', terminal.style('cyan', url))
  for (const other of others) field('', terminal.style('cyan', other))
  field('API', `${url}/v1 (${dialects}), /api (Ollama), /api/v1 and /api/v2 (as chat.petals.dev)`)
  for (const [index, line] of models.entries()) {
    const { symbol, color } = rows[index]!.symbol
    field(index === 0 ? 'Models' : '', `${terminal.style(color, symbol)} ${line}`)
  }
  field('Stop', 'Ctrl+C')
  terminal.out()
}

/** Whose clients find their API below `/v1`. */
const dialects = 'OpenAI, also Responses; Anthropic'

const symbols = {
  ready: { symbol: '✓', color: 'green' },
  degraded: { symbol: '!', color: 'yellow' },
  unavailable: { symbol: '✗', color: 'red' },
  loading: { symbol: '…', color: 'yellow' },
  idle: { symbol: '○', color: 'dim' },
} as const

function describeState({ state, detail }: ModelState): string {
  switch (state) {
    case 'ready':
      return 'ready'
    case 'loading':
      return 'loading'
    case 'idle':
      return 'loads at its first use'
    case 'degraded':
    case 'unavailable':
      return detail === undefined ? state : `${state}: ${detail}`
  }
}
