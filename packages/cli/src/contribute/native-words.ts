import type { BlockServerStatus, PeerUse } from '@petals-chat/blocks'
import { formatDuration } from '../terminal/format.ts'
import { blockWords, counted } from './state-words.ts'

const maxUsers = 3

/** Describes the work of a server without Python, for a line that changes. */
export function nativeServingWords(status: BlockServerStatus, all: number, upSeconds: number): string {
  const { blocks, activity, usesRelay, state } = status
  const { sessions, tokens, tokensPerSecond } = activity
  const what = blocks === undefined ? 'blocks' : blockWords(blocks, all)
  return [
    `${state === 'joining' ? 'Moving to' : state === 'draining' ? 'Finishing' : 'Serving'} ${what}`,
    counted(sessions, 'session'),
    `${counted(tokens, 'token')} served`,
    `${tokensPerSecond.toFixed(tokensPerSecond < 10 ? 1 : 0)} tokens/s`,
    userWords(status),
    usesRelay ? 'through a relay' : undefined,
    `up ${formatDuration(upSeconds)}`,
  ]
    .filter((words) => words !== undefined)
    .join(' · ')
}

/** Names the peers that use the server: by their public name if they are servers, else by the end of their id. */
function userWords({ activity: { users }, publicNames }: BlockServerStatus): string | undefined {
  const open = users.filter(({ sessions }) => sessions > 0)
  const shown = open.length > 0 ? open : users
  if (shown.length === 0) return undefined
  const name = ({ peer }: PeerUse): string => printable(publicNames.get(peer)) || `…${peer.slice(-6)}`
  const rest = shown.length - maxUsers
  const names = shown.slice(0, maxUsers).map(name).join(', ')
  return `used by ${names}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** A name comes from a peer: it must not move the cursor or fill the line. */
const printable = (name: string | undefined): string =>
  (name ?? '')
    .replaceAll(/[\p{C}\p{Z}]+/gu, ' ')
    .trim()
    .slice(0, 40)
