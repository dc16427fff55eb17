import { formatCount } from './format.ts'
import { plural } from './sign-in-en.ts'

/** The English texts about the swarm. */
export const swarmEn = {
  swarm: 'Swarm',
  swarmNoticeTitle: 'Other people’s computers can read this chat.',
  swarmNoticePublic:
    'The model runs on the servers of a public swarm. They belong to strangers, who can read your messages and the answers. Don’t write anything confidential.',
  swarmNoticePrivate:
    'The model runs on the servers of a private swarm. The people who run them can read your messages and the answers.',
  swarmNoticeTerms: 'By chatting you accept the terms of use of',
  swarmNoticeRead: 'I understand',
  swarmNoticeAgain: 'Who can read this chat?',
  swarmIntro:
    'A swarm spreads a large model over many computers: each server holds some of its blocks, and every answer goes through all of them.',
  swarmLoading: 'Loading the state of the swarm…',
  swarmNone: 'None of this server’s models runs in a swarm.',
  swarmComplete: 'All blocks are available',
  swarmIncomplete: 'Blocks are missing',
  swarmUnreachable: 'Unreachable',
  swarmServers: (n: number) =>
    plural(n, { one: '1 server online', other: `${formatCount(n)} servers online` }),
  swarmBlocks: (n: number) => plural(n, { one: '1 block', other: `${formatCount(n)} blocks` }),
  swarmBottleneck: (block: number, rate: string) => `slowest at block ${block}: ${rate} tokens/s`,
  swarmMapTitle: 'Blocks and the servers that hold them',
  swarmMap: (blocks: number, missing: number) =>
    missing === 0
      ? `${blocks} blocks, all held by servers`
      : `${blocks} blocks, ${missing} of them held by no server`,
  swarmBlockTitle: (block: number, n: number) =>
    `Block ${block}: ${plural(n, { one: '1 server', other: `${n} servers` })}`,
  swarmReplicas: (n: number, orMore: boolean) =>
    n === 0 ? 'no server' : plural(n, { one: '1 server', other: `${n}${orMore ? ' or more' : ''} servers` }),
  /** `ranges`: of `blocks` blocks. */
  swarmMissing: (blocks: number, ranges: string) =>
    blocks === 1 ? `No server holds block ${ranges}.` : `No server holds blocks ${ranges}.`,
  swarmJoin: 'Add your own computer to this swarm',
  swarmFill: 'Fill the gap with a computer of your own',
  swarmJoinHow:
    'Run this on a computer with Linux, macOS or Windows, and Node. It needs no GPU, but uses one. It sets up what it needs, checks the computer and keeps the server running until you press Ctrl+C:',
  swarmJoinNote:
    'If the command contains a path, replace it with the folder of the model’s files on that computer. Your server can read the chats that it helps to answer.',
  swarmCopyCommand: 'Copy the command',
  /** `range`: of `blocks` blocks. */
  swarmCopyCommandFor: (blocks: number, range: string) =>
    `Copy the command for ${blocks === 1 ? 'block' : 'blocks'} ${range}`,
  swarmChart: (now: number, most: number) => `Servers in the last hour: ${now} now, ${most} at most`,
  swarmChartServers: 'Servers online',
  swarmChartLeast: 'Servers of the block that has the fewest',
  swarmChartHour: 'The last hour',
  swarmServerTable: 'Servers',
  serverState: 'State',
  serverThroughput: 'Throughput',
  serverLatency: 'Latency',
  serverCache: 'Cache left (tokens)',
  serverVersion: 'Version',
  serverOnline: 'Online',
  serverJoining: 'Joining',
  serverOffline: 'Offline',
  serverBanned: (time: string) => `Avoided for ${time}`,
  serverWrong: 'Computes wrongly, not used',
  serverDisputed: 'Disagrees with another server',
  serverSilent: 'does not answer',
  serverRelay: 'relayed',
}
