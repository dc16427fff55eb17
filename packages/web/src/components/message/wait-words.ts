import type { SwarmWait } from '../../api/route-report.ts'
import { formatClock } from '../../i18n/format.ts'
import type { Texts } from '../../i18n/en.ts'

/** "Waiting for a server of blocks 12–18, until 14:03" */
export function waitWords(texts: Texts, { blocks, until }: SwarmWait): string {
  const ranges = blocks.map(({ start, end }) => texts.blockRange(start, end - 1)).join(', ')
  const count = blocks.reduce((sum, { start, end }) => sum + end - start, 0)
  return texts.waitingForBlocks(count, ranges, formatClock(until))
}
