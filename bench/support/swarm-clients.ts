import { fileURLToPath } from 'node:url'
import { python } from '../../swarm/paths.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import type { AnswerRequest, TimedAnswer } from './answer-lines.ts'
import { startLinePeer, type LinePeer } from './line-peer.ts'
import { groupCpuSeconds, groupResidentBytes } from './process-cpu.ts'

export const clientKinds = ['Petals Chat', 'Python client', 'null client'] as const
export type ClientKind = (typeof clientKinds)[number]

export interface MeasuredAnswer extends TimedAnswer {
  /** CPU time of all processes of the client, including the prompt. */
  readonly cpuSeconds: number
}

/** A client in its own process. */
export interface SwarmClient extends AsyncDisposable {
  readonly kind: ClientKind
  /** The time from the start of the process until it can answer. */
  readonly readySeconds: number
  answer(request: AnswerRequest): Promise<MeasuredAnswer>
  residentBytes(): Promise<number>
}

export interface ClientOptions {
  /** The folder of the 8-bit copies of LM heads. */
  readonly cacheFolder: string
  /** `swarm.serverToServer` of this client. */
  readonly push?: 'auto' | 'always' | 'never'
  /** `swarm.speculation` of this client (default: off). */
  readonly speculation?: 'auto' | 'off'
  /** `swarm.standby` of this client. */
  readonly standby?: 'off' | 'auto' | 'always'
  /** The GGUF file of its draft model. */
  readonly draft?: string | undefined
}

const program = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url))

/** Where a client finds a model and its servers. */
type Place = Pick<Swarm, 'modelFolder' | 'dhtPrefix' | 'initialPeers'>

function start(kind: ClientKind, swarm: Place, options: ClientOptions): Promise<LinePeer> {
  const { cacheFolder, push = 'auto', speculation = 'off', standby = 'auto', draft } = options
  const place = [swarm.modelFolder, swarm.dhtPrefix, ...swarm.initialPeers]
  const node = (...args: readonly string[]): Promise<LinePeer> =>
    startLinePeer(process.execPath, ['--conditions=petals-chat-source', ...args])
  switch (kind) {
    case 'Petals Chat':
      return node(
        ...[program('our-client.ts'), '--push', push, '--speculation', speculation, '--standby', standby],
        ...(draft === undefined ? [] : ['--draft', draft]),
        ...[cacheFolder, ...place],
      )
    case 'null client':
      return node(program('null-client.ts'), ...place)
    case 'Python client':
      return startLinePeer(python, [program('python/petals_client.py'), ...place], { HF_HUB_OFFLINE: '1' })
    default:
      return kind satisfies never
  }
}

export async function startClient(
  kind: ClientKind,
  swarm: Place,
  options: ClientOptions,
): Promise<SwarmClient> {
  const begin = performance.now()
  const peer = await start(kind, swarm, options)
  return {
    kind,
    readySeconds: (performance.now() - begin) / 1000,
    async answer(request) {
      const before = await groupCpuSeconds(peer.group)
      const answer = (await peer.ask(request)) as TimedAnswer
      return { ...answer, cpuSeconds: (await groupCpuSeconds(peer.group)) - before }
    },
    residentBytes: () => groupResidentBytes(peer.group),
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  }
}
