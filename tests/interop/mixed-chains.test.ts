import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BlockServer } from '@petals-chat/blocks'
import { greedy, type Session, type TokenId } from '@petals-chat/engine'
import type { SwarmConfigInput } from '@petals-chat/petals'
import { NetworkSpeed } from '../../packages/blocks/src/announce/network-speed.ts'
import { createLibp2pTransport } from '../../packages/petals/src/p2p/libp2p-transport.ts'
import { parsePeerId } from '../../packages/petals/src/p2p/peer-id.ts'
import { createRpcClient } from '../../packages/petals/src/rpc/transport-rpc-client.ts'
import { ensureModel, findModel } from '../../swarm/models.ts'
import { startServer, type SwarmServer } from '../../swarm/server.ts'
import { answerUntil, checkLogger, withVerdict } from '../support/spot-check-runs.ts'
import { openCacheReader } from './support/cache-tokens.ts'
import { cancelGenerations } from './support/cancelled-generations.ts'
import { openFolderTokenizer } from './support/folder-tokenizer.ts'
import {
  startNativeProcess,
  startNativeServer,
  type NativeServerOptions,
  type NativeServerProcess,
} from './support/native-server.ts'
import { answersOfPython, type ChainAnswers } from './support/python-client.ts'
import { openSwarmEngine, type SwarmEngine } from './support/swarm-engine.ts'

// A swarm that a server without Python has started, with a server of either kind for each span. What is to be equal is computed
// in float32, keys and values included.

const model = findModel('stories15M')
const { dhtPrefix, blocks } = model
const texts = ['Once upon a time, there was a', 'The little dog']
const newTokens = 32
const spans = { first: [0, 2], middle: [1, 4], last: [4, 6] } as const
type Place = keyof typeof spans

let modelFolder: string
let folder: string
let prompts: readonly (readonly TokenId[])[]
/** The answers of transformers, and of Petals' own client on each chain. */
let python: ChainAnswers
let initialPeers: readonly string[] = []
let withPython: Readonly<Record<Place, SwarmServer>>
let native: { readonly first: NativeServerProcess; readonly middle: BlockServer; readonly last: BlockServer }
/** Replicas of the middle, as users have them: with keys and values of 16 bits, and with weights of 8 bits. */
let usual: BlockServer
let quantized: BlockServer
/** By their kinds in the order of the blocks. */
let chains: Readonly<Record<string, readonly string[]>>
const resources = new AsyncDisposableStack()

beforeAll(async () => {
  modelFolder = await ensureModel(model)
  folder = await mkdtemp(path.join(tmpdir(), 'petals-mixed-'))
  resources.defer(() => rm(folder, { recursive: true, force: true }))
  const middle = resources.use(await startNativeServer(nativeOptions('middle', { cacheType: 'f32' })))
  initialPeers = middle.addresses
  const [pythonFirst, pythonMiddle, pythonLast, first, last] = await Promise.all([
    servePython('first'),
    servePython('middle'),
    servePython('last'),
    serveFirst(),
    startNativeServer(nativeOptions('last', { cacheType: 'f32' })),
  ])
  withPython = { first: pythonFirst, middle: pythonMiddle, last: pythonLast }
  native = { first, middle, last: resources.use(last) }
  usual = resources.use(await startNativeServer(nativeOptions('middle')))
  quantized = resources.use(await startNativeServer(nativeOptions('middle', { weights: 'q8_0' })))
  chains = {
    'native, Python, native': [first.peer, pythonMiddle.peerId, last.peer],
    'Python, native, Python': [pythonFirst.peerId, middle.peer, pythonLast.peerId],
  }
  const { tokenizer } = await openFolderTokenizer(modelFolder)
  prompts = texts.map((text) => tokenizer.encode(text, { addSpecialTokens: true }))
  python = await answersOfPython({
    model: modelFolder,
    dhtPrefix,
    initialPeers,
    prompts,
    newTokens,
    chains: Object.values(chains),
  })
})
afterAll(() => resources.disposeAsync())

function nativeOptions(place: Place, more: Partial<NativeServerOptions> = {}): NativeServerOptions {
  const [start, end] = spans[place]
  return {
    modelFolder,
    model: { dhtPrefix, blocks },
    start,
    end,
    initialPeers,
    name: `native ${place}`,
    ...more,
  }
}

const serveFirst = async (): Promise<NativeServerProcess> =>
  resources.use(await startNativeProcess(nativeOptions('first', { cacheType: 'f32' })))

async function servePython(place: Place): Promise<SwarmServer> {
  const [start, end] = spans[place]
  const name = `python-${place}`
  return resources.use(await startServer({ modelFolder, dhtPrefix, initialPeers, folder, name, start, end }))
}

/** An engine of its own, which knows nothing of the servers yet. */
function open(config: Partial<SwarmConfigInput>, { logger } = checkLogger()): Promise<SwarmEngine> {
  const swarm = { modelFolder, dhtPrefix, blocks, initialPeers, servers: [] }
  const none = { relayOf: () => undefined, add: () => Promise.reject(new Error('not here')), adopt: () => {} }
  const owned = { [Symbol.asyncDispose]: async () => {} }
  return openSwarmEngine({ ...swarm, ...none, ...owned }, model.name, config, logger)
}

/** The greedy answer of this length. `onToken` is called after each token, with the number of tokens so far. */
async function answer(
  { model }: SwarmEngine,
  prompt: readonly TokenId[],
  onToken: (count: number, session: Session) => Promise<void> = async () => {},
): Promise<{ readonly ids: readonly TokenId[]; readonly route: ReturnType<NonNullable<Session['route']>> }> {
  await using session = await model.openSession({ maxLength: prompt.length + newTokens })
  const ids: TokenId[] = []
  for await (const { token } of session.generate(prompt, { sampling: greedy })) {
    if (ids.push(token) === newTokens) break
    await onToken(ids.length, session)
  }
  return { ids, route: session.route!() }
}

/** The middle servers are entered at block 2, behind their first one. */
const routeOf = (chain: readonly string[]) => chain.map((peer, i) => [peer, 2 * i, 2 * i + 2])

describe.each(['native, Python, native', 'Python, native, Python'])('a chain: %s', (kinds) => {
  it('gives the ids of transformers to this client', async () => {
    await using engine = await open({ allowedServers: [...chains[kinds]!] })
    for (const [i, prompt] of prompts.entries()) {
      const { ids, route } = await answer(engine, prompt)
      expect(ids).toEqual(python.expected[i])
      expect(route.hops.map(({ peer, start, end }) => [peer, start, end])).toEqual(routeOf(chains[kinds]!))
    }
  })

  it('keeps no KV cache of 100 cancelled generations', async () => {
    await using engine = await open({ allowedServers: [...chains[kinds]!], prefillChunkTokens: 16 })
    const ofPython = Object.values(withPython)
    const others = [native.first, native.middle, native.last].map(({ peer, addresses }) => {
      return { peerId: peer, multiaddr: addresses[0]! }
    })
    const all = [...ofPython, ...others].filter(({ peerId }) => chains[kinds]!.includes(peerId))
    await using cache = await openCacheReader(all)
    const { start, taken, least, end, returnMs } = await cancelGenerations(engine.model, cache, {
      generations: 100,
      atOnce: 8,
      mostPrompt: 64,
    })
    console.log(`KV cache back at ${start.join(', ')} tokens after ${Math.round(returnMs)} ms`)
    expect(taken.filter((count) => count > 0).length).toBeGreaterThan(25)
    expect(least, 'sessions must use KV cache while they run').toBeLessThan(Math.min(...start))
    expect(end).toEqual(start)
  })
})

it("give the ids of transformers to Petals' own client", () => {
  const { expected: ids } = python
  expect(python.chains).toEqual(Object.values(chains).map((chain) => ({ ids, route: routeOf(chain) })))
})

it('Python servers receive what a server without Python sends to measure its network', async () => {
  await using transport = await createLibp2pTransport({ connectTimeoutMs: 10_000 })
  await transport.connect([withPython.middle.multiaddr])
  const speed = new NetworkSpeed({ rpc: createRpcClient(transport), logger: checkLogger().logger })
  await speed.measure([parsePeerId(withPython.middle.peerId)])
  expect(speed.bps).toBeGreaterThan(1e6)
})

it('shows what each server announces', async () => {
  await using engine = await open({})
  await answer(engine, prompts[0]!)
  const { models } = await engine.engine.swarm.status()
  const precisionOf = new Map(models[0]!.servers.map(({ peer, precision }) => [peer, precision]))
  for (const peer of Object.values(chains).flat()) expect(precisionOf.get(peer)).toBe('F32')
  expect(precisionOf.get(quantized.peer)).toBe('Q8_0')
})

describe('spot checks', () => {
  it.each([
    ['of keys and values of 16 bits', () => usual, 3e-3 / 4],
    ['of weights of 8 bits', () => quantized, 0.4 / 4],
  ])('convict no honest server for a difference %s', async (_what, other, most) => {
    const { logger, checks } = checkLogger()
    const middle = [withPython.middle.peerId, other().peer]
    const allowedServers = [native.first.peer, ...middle, native.last.peer]
    await using engine = await open({ allowedServers }, { logger, checks })
    await answerUntil(engine, texts, 120, (tokens) => tokens >= 2000 || checks.length >= 2)
    expect(checks.length).toBeGreaterThanOrEqual(2)
    for (const check of checks) expect(check).toMatchObject({ likeness: 'alike' })
    const typical = Math.max(...checks.map((check) => check.typical))
    console.log(`${checks.length} checks, of the median token at most ${typical.toExponential(1)} apart`)
    expect(typical).toBeLessThan(most)
    for (const kind of ['wrong', 'disputed'] as const) expect(await withVerdict(engine, kind)).toEqual([])
  })
})

it('an answer survives kills of both kinds with the same ids, and says what went on in another program', async () => {
  await using engine = await open({ blockedServers: [usual.peer, quantized.peer] })
  const killed: string[] = []
  const killFirst = async (session: Session): Promise<void> => {
    const { peer } = session.route!().hops[0]!
    killed.push(peer)
    if (peer === withPython.first.peerId) withPython.first.signal('SIGKILL')
    else await natives.find((each) => each.peer === peer)!.kill()
  }
  const natives = [native.first]
  const { ids, route } = await answer(engine, prompts[0]!, async (count, session) => {
    if (count === 8) await killFirst(session)
    if (count !== 16) return
    natives.push(await serveFirst())
    await killFirst(session)
  })
  expect(ids).toEqual(python.expected[0])
  expect(killed.toSorted()).toEqual([native.first.peer, withPython.first.peerId].toSorted())
  const failovers = killed.map((peer) => route.failovers.find((each) => each.peer === peer)!)
  const programOf = (peer: string): string =>
    peer === withPython.first.peerId ? 'F32 (PyTorch)' : 'F32 (llama.cpp)'
  for (const { peer, replacedBy, precision } of failovers) {
    const [before, after] = [programOf(peer), programOf(replacedBy[0]!.peer)]
    expect(precision).toEqual(before === after ? undefined : { before, after })
  }
})
