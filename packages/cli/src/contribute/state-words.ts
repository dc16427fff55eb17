import type { ServerState } from '@petals-chat/contribute'
import type { BlockSpan } from '@petals-chat/engine'
import { formatDuration } from '../terminal/format.ts'

/** `blocks 4-7 of 32`. */
export const blockWords = ({ start, end }: BlockSpan, all: number): string =>
  `${end - start === 1 ? `block ${start}` : `blocks ${start}-${end - 1}`} of ${all}`

export const counted = (count: number, word: string): string =>
  `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`

/** Describes a server that is not ready yet: a title, and a detail that changes. */
export function startingWords(state: ServerState, all: number): readonly [title: string, detail: string] {
  const { phase, blocks, loaded, download } = state
  switch (phase) {
    case 'measuring':
      return ['Measuring how fast this machine is', 'about a minute, once']
    case 'loading': {
      const file = download === undefined ? '' : `downloading ${download.file} ${download.percent} %`
      const count = blocks === undefined ? '' : `${loaded} of ${blocks.end - blocks.start}`
      const what = blocks === undefined ? 'blocks' : blockWords(blocks, all)
      return [`Loading ${what}`, [count, file].filter(Boolean).join(', ')]
    }
    case 'waiting':
      return ['Waiting before the next start', '']
    case 'starting':
    case 'serving':
      return ['Starting the server and joining the swarm', '']
  }
}

/** Describes the work of a running server. */
export function servingWords(state: ServerState, all: number, upSeconds: number): string {
  const { blocks, generated, prompt, sessions, allSessions, throughput, relayed } = state
  return [
    blocks === undefined ? undefined : `Serving ${blockWords(blocks, all)}`,
    `your server answered ${counted(generated, 'token')}${prompt > 0 ? ` and read ${counted(prompt, 'token')} of prompts` : ''}`,
    `${counted(allSessions, 'session')}${sessions > 0 ? `, ${sessions} open` : ''}`,
    throughput === undefined ? undefined : `${throughput.toFixed(throughput < 10 ? 1 : 0)} tokens/s measured`,
    relayed ? 'through a relay' : undefined,
    `up ${formatDuration(upSeconds)}`,
  ]
    .filter((words) => words !== undefined)
    .join(' · ')
}
