import type { Terminal } from '../terminal/terminal.ts'

/** Blocks in one row: with its label it fits into 80 columns, and tens are aligned. */
const blocksPerRow = 60

type Style = Parameters<Terminal['style']>[0]

/**
 * Returns the blocks of a model as rows of digits, one for each block: the number of servers that hold it (`+`: ten or
 * more), in red if no server does, yellow if only one does, green if another server could take over.
 */
export function blockStrip(replicas: readonly number[], style: Terminal['style']): readonly string[] {
  const rows = Math.ceil(replicas.length / blocksPerRow)
  const width = String(Math.max(replicas.length - 1, 0)).length
  return Array.from({ length: rows }, (_, row) => {
    const start = row * blocksPerRow
    const cells = replicas
      .slice(start, start + blocksPerRow)
      .map((count) => style(styleOf(count), digit(count)))
    return `${String(start).padStart(width)} ${cells.join('')}`
  })
}

const digit = (count: number): string => (count < 10 ? String(count) : '+')

const styleOf = (count: number): Style =>
  count === 0 ? ['bgRed', 'white'] : count === 1 ? ['bgYellow', 'black'] : ['bgGreen', 'black']
