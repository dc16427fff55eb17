import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { SwarmConfig } from '../config.ts'
import type { InferenceSession } from '../inference/inference-session.ts'
import { seededBits } from '../sampling/random.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import type { FakeServer } from '../testing/fake-server.ts'
import { FakeSwarm, type SwarmClient } from '../testing/fake-swarm.ts'
import { lies } from '../testing/lies.ts'

/** A lying server is to be found within so many tokens. */
const mostTokens = 500

let swarm: FakeSwarm
beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

/**
 * The server that lies is the faster one, so that it is chosen: by so much that it stays so, however long its steps take on a
 * busy machine.
 */
const fast = { inferenceRps: 1000 }
const slow = { inferenceRps: 1 }

/**
 * Measured round trips of a busy machine differ by more than the servers' speeds. A standby would be asked where a step takes
 * long, and then work in the server's place: `standby-checks.test.ts` has those.
 */
const connectWith = (random: () => number, config: Partial<SwarmConfig>): Promise<SwarmClient> =>
  swarm.connect({ standby: 'off', ...config }, { random })

const connect = (seed = 1, config: Partial<SwarmConfig> = {}): Promise<SwarmClient> => {
  const bits = seededBits(seed)
  return connectWith(() => bits() / 2 ** 32, config)
}

/** A dialogue that goes on: its inputs so far, and the outputs of the latest. */
class Dialogue {
  readonly session: InferenceSession
  readonly inputs: HiddenStates[] = []
  readonly #client: SwarmClient

  constructor(client: SwarmClient) {
    this.#client = client
    this.session = client.openSession()
  }

  /** Runs a step, and the check that follows it, if any. */
  async step(tokens: number): Promise<Float32Array> {
    const inputs = swarm.inputs(tokens, this.inputs.length + 1)
    this.inputs.push(inputs)
    const { data } = await this.session.step(inputs)
    await this.#client.checks!.settled()
    return data
  }

  /** The outputs of the latest step if no server lies. */
  expected(): Float32Array {
    const { length } = this.inputs.at(-1)!.data
    return swarm.expected(...this.inputs).slice(-length)
  }

  /** A prompt, and so many tokens. */
  async steps(tokens: number): Promise<void> {
    await this.step(20)
    for (let i = 0; i < tokens; i++) await this.step(1)
  }

  /** Returns the number of tokens after which `isOver`. */
  async until(isOver: () => boolean): Promise<number> {
    await this.step(20)
    let tokens = 0
    while (!isOver() && tokens < mostTokens) {
      await this.step(1)
      tokens++
    }
    expect(isOver(), `nothing after ${tokens} tokens`).toBe(true)
    return tokens
  }
}

const isWrong = (client: SwarmClient, ...servers: readonly FakeServer[]): boolean =>
  servers.some(({ id }) => client.router.verdicts.of(id)?.kind === 'wrong')
const isDisputed = (client: SwarmClient, server: FakeServer): boolean =>
  client.router.verdicts.of(server.id)?.kind === 'disputed'

describe('a server that lies is found and named, and what it computed is computed again', () => {
  const [first, last] = [
    { start: 0, end: 3 },
    { start: 3, end: 6 },
  ]
  it.each([
    ['its outputs times 1.05', first],
    ['its outputs times 1.05', last],
    ['its outputs shifted by 1 %', last],
    ['noise', first],
    ["another layer's outputs", last],
    ['an old answer with little noise', first],
  ])('%s, as the server of %o', async (name, span) => {
    const liar = await swarm.addServer(span.start, span.end, fast)
    const honest = [
      await swarm.addServer(0, 3, slow),
      await swarm.addServer(0, 3, slow),
      await swarm.addServer(3, 6, slow),
      await swarm.addServer(3, 6, slow),
    ]
    lies[name]!(liar, span, swarm.hiddenSize)
    const client = await connect()
    const dialogue = new Dialogue(client)
    await dialogue.until(() => isWrong(client, liar))
    expect(isWrong(client, ...honest)).toBe(false)
    expect(client.router.verdicts.of(liar.id)?.against.length).toBeGreaterThanOrEqual(2)
    const position = dialogue.session.position
    for (let i = 0; i < 3; i++) expect(await dialogue.step(1)).toEqual(dialogue.expected())
    expect(dialogue.session.route.map(({ peer }) => peer)).not.toContain(liar.id)
    expect(dialogue.session.failovers).toMatchObject([{ failed: { peer: liar.id }, position, wrongFrom: 0 }])
    expect(client.router.status().find(({ peer }) => peer === liar.id)).toMatchObject({ usable: false })
  })
})

describe('a server of 16 bits that lies by less than it may differ', () => {
  const rounded = { dtype: 'bfloat16' } as const
  const whole = { start: 0, end: 6 }

  it.each(['its outputs shifted by 1 %', 'its outputs times 1.01'])(
    'is found within 256 tokens, although it lies from the start: %s',
    async (name) => {
      const liar = await swarm.addServer(0, 6, { ...fast, ...rounded })
      const honest = [
        await swarm.addServer(0, 6, { ...slow, ...rounded }),
        await swarm.addServer(0, 6, { ...slow, ...rounded }),
      ]
      lies[name]!(liar, whole, swarm.hiddenSize)
      const client = await connect()
      expect(await new Dialogue(client).until(() => isWrong(client, liar))).toBeLessThanOrEqual(256)
      expect(isWrong(client, ...honest)).toBe(false)
    },
  )

  it('is found where it is the witness', async () => {
    const used = await swarm.addServer(0, 6, { ...fast, ...rounded })
    const liar = await swarm.addServer(0, 6, { ...slow, ...rounded })
    const honest = await swarm.addServer(0, 6, { ...slow, ...rounded })
    lies['its outputs shifted by 1 %']!(liar, whole, swarm.hiddenSize)
    const client = await connect()
    for (let i = 0; i < 10 && !isWrong(client, liar); i++) await new Dialogue(client).steps(200)
    expect(isWrong(client, liar)).toBe(true)
    expect(isWrong(client, used, honest)).toBe(false)
  })

  it('accuses neither of two, and is found as soon as there is a third', async () => {
    const liar = await swarm.addServer(0, 6, { ...fast, ...rounded })
    const honest = await swarm.addServer(0, 6, { ...slow, ...rounded })
    lies['its outputs shifted by 1 %']!(liar, whole, swarm.hiddenSize)
    const client = await connect()
    // So many checks would narrow the tolerances, if they had learnt of the lie.
    for (let i = 0; i < 6; i++) await new Dialogue(client).steps(400)
    expect(client.router.status().filter(({ verdict }) => verdict)).toEqual([])
    const third = await swarm.addServer(0, 6, { ...slow, ...rounded })
    await client.directory.refresh()
    for (let i = 0; i < 10 && !isWrong(client, liar); i++) await new Dialogue(client).steps(200)
    expect(isWrong(client, liar)).toBe(true)
    expect(isWrong(client, honest, third)).toBe(false)
  })
})

describe('two servers that disagree, and no third one', () => {
  it('are both named, and neither is taken for the liar', async () => {
    const liar = await swarm.addServer(0, 6, fast)
    const honest = await swarm.addServer(0, 6, slow)
    lies['its outputs times 1.05']!(liar, { start: 0, end: 6 }, swarm.hiddenSize)
    const client = await connect()
    const dialogue = new Dialogue(client)
    await dialogue.until(() => isDisputed(client, liar))
    expect(isDisputed(client, honest)).toBe(true)
    expect(dialogue.session.failovers).toEqual([])
    await dialogue.step(1)
  })

  it('and a third one that comes later decides', async () => {
    const liar = await swarm.addServer(0, 6, fast)
    const honest = await swarm.addServer(0, 6, slow)
    lies['its outputs times 1.05']!(liar, { start: 0, end: 6 }, swarm.hiddenSize)
    const client = await connect()
    await new Dialogue(client).until(() => isDisputed(client, liar))
    const third = await swarm.addServer(0, 6, slow)
    await client.directory.refresh()
    const dialogue = new Dialogue(client)
    // The new one is preferred to both at once, and shows who was wrong when it is checked.
    for (let tokens = 0; tokens < 2 * mostTokens && !isWrong(client, liar); tokens++)
      await dialogue.step(tokens === 0 ? 20 : 1)
    expect(isWrong(client, liar)).toBe(true)
    expect(isWrong(client, honest, third)).toBe(false)
    expect(isDisputed(client, honest)).toBe(false)
  })

  it('the one that contradicts itself is the wrong one, in use or as the witness', async () => {
    const [noisy, honest] = [await swarm.addServer(0, 6, fast), await swarm.addServer(0, 6, slow)]
    lies['noise']!(noisy, { start: 0, end: 6 }, swarm.hiddenSize)
    const client = await connect()
    await new Dialogue(client).until(() => isWrong(client, noisy))
    expect(client.router.verdicts.of(honest.id)).toBeUndefined()

    noisy.lie = () => {}
    lies['noise']!(honest, { start: 0, end: 6 }, swarm.hiddenSize)
    const other = await connect(2)
    await new Dialogue(other).until(() => isWrong(other, honest))
    expect(other.router.verdicts.of(noisy.id)).toBeUndefined()
  })
})

it('a witness that lies is found, and the server that it accuses is not', async () => {
  const used = await swarm.addServer(0, 6, fast)
  const liar = await swarm.addServer(0, 6, slow)
  const honest = await swarm.addServer(0, 6, slow)
  lies['its outputs times 1.05']!(liar, { start: 0, end: 6 }, swarm.hiddenSize)
  const client = await connect()
  for (let i = 0; i < 10 && !isWrong(client, liar); i++) await new Dialogue(client).steps(200)
  expect(isWrong(client, liar)).toBe(true)
  expect(isWrong(client, used, honest)).toBe(false)
})

it('where one of several servers that checked together lies, the server that they accused is not suspected', async () => {
  const used = await swarm.addServer(0, 6, fast)
  const liar = await swarm.addServer(0, 3, slow)
  for (const start of [0, 3, 3]) await swarm.addServer(start, start + 3, slow)
  lies['its outputs times 1.05']!(liar, { start: 0, end: 3 }, swarm.hiddenSize)
  const client = await connect()
  for (let i = 0; i < 10 && !isDisputed(client, liar); i++) await new Dialogue(client).steps(200)
  expect(isDisputed(client, liar)).toBe(true)
  expect(client.router.verdicts.of(used.id)).toBeUndefined()
})

describe('a server that fails at a check', () => {
  it('is banned, as one that fails at an answer', async () => {
    await swarm.addServer(0, 6, fast)
    const broken = await swarm.addServer(0, 6, slow)
    broken.refusal = () => 'out of order'
    const client = await connect()
    const banned = () => client.router.status().find(({ peer }) => peer === broken.id)!.bannedForMs
    await new Dialogue(client).until(() => banned() > 0)
  })

  it('does not save a liar: another one gives the third opinion', async () => {
    const liar = await swarm.addServer(0, 6, fast)
    lies['its outputs times 1.05']!(liar, { start: 0, end: 6 }, swarm.hiddenSize)
    let asked = 0
    for (let i = 0; i < 3; i++) {
      const witness = await swarm.addServer(0, 6, slow)
      witness.refusal = () => (++asked === 2 ? 'out of order' : undefined)
    }
    const client = await connect()
    await new Dialogue(client).until(() => isWrong(client, liar) || isDisputed(client, liar))
    expect(isWrong(client, liar)).toBe(true)
  })
})

it('what a server computed is computed again even if another one has replaced it since', async () => {
  const liar = await swarm.addServer(0, 3, fast)
  await swarm.addServer(0, 3, slow)
  await swarm.addServer(0, 3, slow)
  await swarm.addServer(3, 6, slow)
  lies['its outputs times 1.05']!(liar, { start: 0, end: 3 }, swarm.hiddenSize)
  const client = await connect()
  const early = new Dialogue(client)
  await early.step(8)
  liar.peer.cutConnections()
  await early.step(8)
  expect(early.session.route[0]!.peer).not.toBe(liar.id)
  client.router.reportSuccess(liar.id)
  await new Dialogue(client).until(() => isWrong(client, liar))
  expect(await early.step(2)).toEqual(early.expected())
  expect(early.session.failovers).toMatchObject([{ failed: { peer: liar.id }, wrongFrom: 0 }])
})

it('a server that pushes something else than it tells does not get the next one banned', async () => {
  const modern = { ...slow, modern: true }
  const pusher = await swarm.addServer(0, 3, { ...modern, ...fast })
  const others = [await swarm.addServer(0, 3, modern)]
  for (let i = 0; i < 3; i++) others.push(await swarm.addServer(3, 6, modern))
  pusher.lieToNext = (values) => values.forEach((value, i) => (values[i] = value * 1.05))
  const client = await connect(1, { serverToServer: 'always' })
  const dialogue = new Dialogue(client)
  await dialogue.until(() => isDisputed(client, pusher))
  expect(isWrong(client, ...others)).toBe(false)
  expect(dialogue.session.pushed).toBe(true)
  for (let i = 0; i < 3; i++) expect(await dialogue.step(1)).toEqual(dialogue.expected())
  expect(dialogue.session.pushed).toBe(false)
})

it('honest servers of different number types and compressions are not suspected in a long answer', async () => {
  for (const dtype of ['float32', 'bfloat16', 'float16', 'bfloat16'] as const)
    await swarm.addServer(0, 6, { ...slow, dtype })
  for (const compression of [2, 4, 5] as const) await swarm.addServer(0, 6, { ...fast, compression })
  const client = await connect()
  await new Dialogue(client).steps(600)
  expect(client.router.status().filter(({ verdict }) => verdict)).toEqual([])
})

it('a check asks a witness for the same room as a session that goes on', async () => {
  await swarm.addServer(0, 6, fast)
  const witness = await swarm.addServer(0, 6, slow)
  const client = await connect()
  const dialogue = new Dialogue(client)
  for (let tokens = 0; tokens < mostTokens && witness.sessionsEver === 0; tokens++)
    await dialogue.step(tokens === 0 ? 20 : 1)
  // The least that a session asks for: 256 tokens more than it needs, in steps of 64.
  expect(witness.requestedLengths[0]).toBeGreaterThan(256)
  expect(witness.requestedLengths[0]! % 64).toBe(0)
})

it('the server of the last blocks is found in an answer to a long prompt, too', async () => {
  const liar = await swarm.addServer(0, 6, fast)
  for (let i = 0; i < 2; i++) await swarm.addServer(0, 6, slow)
  const client = await connect()
  lies['its outputs times 1.05']!(liar, { start: 0, end: 6 }, swarm.hiddenSize)
  const dialogue = new Dialogue(client)
  await dialogue.step(1800)
  for (let tokens = 0; tokens < 240 && !isWrong(client, liar); tokens++) await dialogue.step(1)
  expect(isWrong(client, liar)).toBe(true)
})

describe('an honest server that is started again with quantized weights between two turns', () => {
  it.each([
    ['and is announced at once', true],
    ['before its new announcement is read', false],
  ])('is not suspected, %s', async (_what, isRead) => {
    const server = await swarm.addServer(0, 6, fast)
    const others = [await swarm.addServer(0, 6, slow), await swarm.addServer(0, 6, slow)]
    // Checks end at about the 50th token.
    const config = { keepAliveMs: 20, idleTimeoutMs: 20, updateIntervalMs: 1e6 }
    const client = await connectWith(() => 0.4, config)
    const dialogue = new Dialogue(client)
    await dialogue.step(20)
    await vi.waitFor(() => expect(server.openSessions).toBe(0))
    server.restartAs({ quantType: 'nf4' })
    lies['its outputs times 1.05']!(server, { start: 0, end: 6 }, swarm.hiddenSize) // as other weights would
    server.announce([swarm.dht])
    if (isRead) await client.directory.refresh()
    client.router.reportSuccess(server.id)
    for (let i = 0; i < 400; i++) await dialogue.step(1)
    expect(dialogue.session.route[0]!.peer).toBe(server.id)
    expect(isWrong(client, server, ...others)).toBe(false)
    expect(isDisputed(client, server)).toBe(false)
  })
})
