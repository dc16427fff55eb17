import { isListed } from './sides.ts'
import type { Chat } from './types.ts'

export type ChatGroupName = 'pinned' | 'today' | 'yesterday' | 'lastWeek' | 'lastMonth' | 'older'

export interface ChatGroup {
  readonly name: ChatGroupName
  /** Newest first. */
  readonly chats: readonly Chat[]
}

const order: readonly ChatGroupName[] = ['pinned', 'today', 'yesterday', 'lastWeek', 'lastMonth', 'older']

/** Groups chats by the day of their last message in the reader's time zone. Omits empty groups. */
export function groupChats(chats: Iterable<Chat>, now: Date): readonly ChatGroup[] {
  const sorted = [...chats].filter(isListed).sort((a, b) => b.updatedAt - a.updatedAt)
  const limits = dayLimits(now)
  const groups = Map.groupBy(sorted, (chat) => groupOf(chat, limits))
  return order.flatMap((name) => {
    const members = groups.get(name)
    return members ? [{ name, chats: members }] : []
  })
}

type DayLimits = readonly (readonly [ChatGroupName, number])[]

/** Returns the first moment of each group. Uses calendar days, since days on which clocks change are shorter or longer. */
function dayLimits(now: Date): DayLimits {
  const daysAgo = (days: number): number =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - days).getTime()
  return [
    ['today', daysAgo(0)],
    ['yesterday', daysAgo(1)],
    ['lastWeek', daysAgo(7)],
    ['lastMonth', daysAgo(30)],
  ]
}

function groupOf({ pinned, updatedAt }: Chat, limits: DayLimits): ChatGroupName {
  if (pinned) return 'pinned'
  return limits.find(([, start]) => updatedAt >= start)?.[0] ?? 'older'
}
