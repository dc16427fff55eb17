import type { Terminal } from '../terminal/terminal.ts'

/** Blocks of one row: with its label it fits into 80 columns, and tens stand below each other. */
const blocksPerRow = 60

type Style = Parameters<Terminal['style']>[0]

/**
 * The blocks of a model as rows of digits, one for each block: how many servers hold it (`+`: ten and more), in red where
 * nobody does, yellow where it hangs on one server, green where another could take over.
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
