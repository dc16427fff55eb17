import type { Relay } from '../../swarm/relay.ts'
import { chatsAtOnce, answerAtOnce, type CrowdRun } from './crowd.ts'
import type { FaultHarness, Prompt } from './fault-harness.ts'

/** A fault of a network link. `random` is from 0 to 1. */
export interface LinkFault {
  readonly name: string
  readonly begin: (relay: Relay, random: number) => void
}

export const linkFaults: readonly LinkFault[] = [
  { name: 'reset', begin: (relay) => relay.reset() },
  {
    name: 'reset, and new connections refused',
    begin: (relay) => {
      relay.refuse(true)
      relay.reset()
    },
  },
  { name: 'blackhole', begin: (relay) => relay.set({ blackhole: ['to-server', 'to-client'] }) },
  { name: 'half-open: responses get lost', begin: (relay) => relay.set({ blackhole: ['to-client'] }) },
  { name: 'half-open: requests get lost', begin: (relay) => relay.set({ blackhole: ['to-server'] }) },
  { name: 'slow: 4 kB/s', begin: (relay) => relay.set({ bandwidth: 4000 }) },
  { name: 'slow: 3 s late', begin: (relay) => relay.set({ latencyMs: 3000 }) },
  {
    name: 'cut within a frame',
    begin: (relay, random) => relay.set({ cutAfterBytes: 50 + Math.floor(random * 3000) }),
  },
]

/** Further ones, which take longer; `npm run bench:faults` has them. */
export const longLinkFaults: readonly LinkFault[] = [
  { name: 'slow: 1 B/s', begin: (relay) => relay.set({ bandwidth: 1 }) },
  { name: '64 KiB, then cut', begin: (relay) => relay.set({ cutAfterBytes: 65_536 }) },
  { name: 'latency of 0 to 2 s', begin: (relay) => relay.set({ jitterMs: 2000 }) },
]

/** Makes answers at once while the link to a server that works for them fails. */
export async function linkRun(
  harness: FaultHarness,
  prompt: Prompt,
  { begin }: LinkFault,
  hop: number,
): Promise<CrowdRun> {
  let relay: Relay | undefined
  try {
    return await answerAtOnce(harness, prompt, {
      chats: chatsAtOnce,
      afterTokens: 8 + Math.floor(harness.random() * 24),
      strike(session) {
        relay = harness.subject.swarm.relayOf(harness.serverOf(session, hop))!
        begin(relay, harness.random())
      },
    })
  } finally {
    relay?.refuse(false)
    relay?.set({})
  }
}
