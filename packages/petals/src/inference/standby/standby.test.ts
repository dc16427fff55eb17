import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { publicInitialPeers, type SwarmConfig } from '../../config.ts'
import type { HiddenStates } from '../../tensor/hidden-states.ts'
import type { FakeServer } from '../../testing/fake-server.ts'
import { FakeSwarm, type SwarmClient } from '../../testing/fake-swarm.ts'
import type { InferenceSession } from '../inference-session.ts'
import { createInferenceSession } from '../swarm-inference-session.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

/** A session with the inputs that it was sent, whose outputs must be those of an undisturbed run. */
class Chat {
  readonly session: InferenceSession
  readonly inputs: HiddenStates[] = []
  readonly client: SwarmClient

  constructor(client: SwarmClient, session = client.openSession()) {
    this.client = client
    this.session = session
  }

  async step(tokens: number, seed = this.inputs.length + 1): Promise<void> {
    const inputs = swarm.inputs(tokens, seed)
    this.inputs.push(inputs)
    const { data } = await this.session.step(inputs)
    expect(data).toEqual(swarm.expected(...this.inputs).slice(-data.length))
  }

  /** The server of a hop, or its standby: which is which depends on round trips. */
  server(hop: number, which: 'used' | 'standby' = 'used'): FakeServer {
    const span = which === 'used' ? this.session.route[hop] : this.session.standbys[hop]?.span
    return swarm.servers.find(({ id }) => id === span?.peer)!
  }

  async steps(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.step(1)
  }

  /** Makes steps of one token until each of these hops has a standby that lacks less than it is sent at a time. */
  async untilFollowed(...hops: readonly number[]): Promise<void> {
    await vi.waitFor(
      async () => {
        await this.step(1)
        for (const hop of hops)
          expect(this.session.standbys[hop]?.position ?? 0).toBeGreaterThan(this.session.position - 40)
      },
      { timeout: 45_000, interval: 20 },
    )
  }
}

const begin = async (config: Partial<SwarmConfig> = {}, prompt = 300): Promise<Chat> => {
  const chat = new Chat(await swarm.connect(config))
  await chat.step(prompt)
  return chat
}

const killAtNextStep = (server: FakeServer): void => {
  server.intercept = async () => {
    void server.kill()
    return true
  }
}

describe('a standby', () => {
  it('takes over for a server that is killed: it is sent only what it lacks', async () => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 3)
    const last = await swarm.addServer(3, 6)
    const chat = await begin()
    await chat.untilFollowed(0)
    const [used, standby] = [chat.server(0), chat.server(0, 'standby')]
    const steps = standby.stepCount
    // Sessions that have become too short by then were replaced by longer ones.
    const sessions = [standby.sessionsEver, last.sessionsEver]
    killAtNextStep(used)
    await chat.steps(3)
    expect(chat.session.route[0]!.peer).toBe(standby.id)
    expect(standby.openSessions).toBe(1)
    expect([standby.sessionsEver, last.sessionsEver]).toEqual(sessions)
    expect(standby.stepCount - steps).toBeLessThanOrEqual(4)
    expect(chat.session.failovers).toMatchObject([{ failed: { peer: used.id }, byStandby: true }])
  })

  it.each([
    ['its requests', { maxRequestTokens: 40 }],
    ['its sessions', { maxSessionLength: 600 }],
  ])('learns from a refusal how long %s may be', async (_what, limit) => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6, limit)
    const chat = await begin()
    await vi.waitFor(
      async () => {
        await chat.step(1)
        expect(chat.session.standbys[0]?.position).toBeGreaterThanOrEqual(80)
      },
      { timeout: 45_000, interval: 20 },
    )
    // The second session fits. The one that is too long was not begun.
    expect(chat.server(0, 'standby').sessionsEver + Number('maxSessionLength' in limit)).toBe(2)
    expect(chat.client.router.status().map(({ bannedForMs }) => bannedForMs)).toEqual([0, 0])
    killAtNextStep(chat.server(0))
    await chat.steps(2)
    expect(chat.session.failovers).toMatchObject([{ byStandby: true }])
  })

  it('is replaced by the next one, and so survives kills one after the other, of both spans', async () => {
    for (const start of [0, 3]) for (let i = 0; i < 3; i++) await swarm.addServer(start, start + 3)
    const chat = await begin()
    for (const hop of [0, 1, 0, 1]) {
      await chat.untilFollowed(hop)
      killAtNextStep(chat.server(hop))
      await chat.steps(2)
    }
    expect(chat.session.failovers.map(({ byStandby }) => byStandby)).toEqual([true, true, true, true])
  })

  it('dies itself, and the answer does not notice; the next one takes over', async () => {
    await swarm.addServer(0, 6)
    const chat = await begin()
    const used = chat.server(0)
    for (let i = 0; i < 2; i++) {
      const standby = await swarm.addServer(0, 6)
      await chat.client.directory.refresh()
      await chat.untilFollowed(0)
      expect(chat.session.standbys[0]?.span.peer).toBe(standby.id)
      if (i === 0) await standby.kill()
    }
    expect(chat.session.failovers).toEqual([])
    killAtNextStep(used)
    await chat.steps(2)
    expect(chat.session.failovers).toMatchObject([{ byStandby: true }])
  })

  it('and its server die together: the answer goes on with a third one', async () => {
    for (let i = 0; i < 3; i++) await swarm.addServer(0, 6)
    const chat = await begin()
    await chat.untilFollowed(0)
    const dying = [chat.server(0), chat.server(0, 'standby')]
    const third = swarm.servers.find((each) => !dying.includes(each))!
    dying[0]!.intercept = async () => {
      for (const server of dying) void server.kill()
      return true
    }
    await chat.steps(2)
    expect(chat.session.route[0]!.peer).toBe(third.id)
  })

  it.each([
    ['rewinds with its server', true],
    ['that cannot rewind is replaced', false],
  ])('%s', async (_what, modern) => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6, { modern })
    const chat = await begin()
    await chat.untilFollowed(0)
    const [used, standby] = [chat.server(0), chat.server(0, 'standby')]
    chat.session.rewind(250)
    chat.inputs.splice(0, chat.inputs.length, swarm.inputs(300, 1))
    const [all] = chat.inputs
    chat.inputs[0] = { shape: [250, swarm.hiddenSize], data: all!.data.slice(0, 250 * swarm.hiddenSize) }
    await chat.step(1, 77)
    await chat.untilFollowed(0)
    // One of the sessions was the probe whether it can rewind.
    expect(standby.sessionsEver).toBe(2)
    killAtNextStep(used)
    await chat.steps(2)
    expect(chat.session.failovers).toMatchObject([{ byStandby: true }])
  })

  it('never holds tokens of a step that may be taken back', async () => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6, { modern: true })
    const chat = await begin()
    await chat.untilFollowed(0)
    const [used, standby] = [chat.server(0), chat.server(0, 'standby')]
    const sessions = standby.sessionsEver
    const startedAt = chat.session.position
    await vi.waitFor(
      async () => {
        // Like a speculation of eight tokens, of which two are accepted each time.
        const { position } = chat.session
        const drafted = swarm.inputs(8, position)
        await chat.session.step(drafted)
        chat.session.rewind(position + 2)
        chat.inputs.push({ shape: [2, swarm.hiddenSize], data: drafted.data.slice(0, 2 * swarm.hiddenSize) })
        expect(chat.session.standbys[0]!.position).toBeGreaterThan(startedAt + 40)
      },
      { timeout: 45_000, interval: 20 },
    )
    expect(standby.sessionsEver).toBe(sessions)
    killAtNextStep(used)
    await chat.steps(2)
    expect(chat.session.failovers).toMatchObject([{ byStandby: true }])
  })

  it.each([
    ['server to server, told in each step', { modern: true }],
    ['server to server, told at the opening', {}],
  ])('takes over where outputs go %s', async (_how, kind) => {
    for (const start of [0, 3]) for (let i = 0; i < 2; i++) await swarm.addServer(start, start + 3, kind)
    const chat = await begin({ serverToServer: 'always' })
    expect(chat.session.pushed).toBe(true)
    await chat.untilFollowed(0, 1)
    const standbys = [chat.server(0, 'standby'), chat.server(1, 'standby')]
    const opened = standbys.map(({ sessionsEver }) => sessionsEver)
    killAtNextStep(chat.server(0))
    await chat.steps(3)
    expect(standbys.map(({ sessionsEver }) => sessionsEver)).toEqual(opened)
    // The second server is well, but what it was pushed is in doubt: its standby goes on, too.
    expect(chat.session.route.map(({ peer }) => peer)).toEqual(standbys.map(({ id }) => id))
  })

  it('takes over when the session of its server is too old, and nothing is run again', async () => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6)
    const chat = await begin({ sessionLifetimeMs: 4000 })
    await new Promise((resolve) => setTimeout(resolve, 500))
    await chat.untilFollowed(0)
    const [used, standby] = [chat.server(0), chat.server(0, 'standby')]
    await vi.waitFor(
      async () => {
        await chat.step(1)
        expect(chat.session.route[0]!.peer).toBe(standby.id)
      },
      { timeout: 45_000, interval: 20 },
    )
    expect(chat.session.failovers).toEqual([])
    expect(used.openSessions).toBeLessThanOrEqual(1)
  })

  it('goes on after an abort: its server has forgotten the session, the standby has not', async () => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6)
    const chat = await begin()
    await chat.untilFollowed(0)
    const standby = chat.server(0, 'standby')
    const stop = new AbortController()
    chat.server(0).intercept = () => (stop.abort(new Error('enough')), true)
    await expect(chat.session.step(swarm.inputs(1), { signal: stop.signal })).rejects.toThrow('enough')
    await chat.step(1)
    expect(chat.session.route[0]!.peer).toBe(standby.id)
    expect(standby.sessionsEver).toBe(1)
  })

  it.each([
    ['is slower', { inferenceRps: 10 }],
    ['computes with other numbers', { quantType: 'int8' }],
  ])(
    'leaves the session to its server after an abort if it %s, but takes over when that dies',
    async (_how, kind) => {
      const good = await swarm.addServer(0, 6)
      const chat = await begin()
      const other = await swarm.addServer(0, 6, kind)
      await chat.client.directory.refresh()
      await chat.untilFollowed(0)
      expect([chat.server(0), chat.server(0, 'standby')]).toEqual([good, other])
      const stop = new AbortController()
      good.intercept = () => (stop.abort(new Error('enough')), true)
      await expect(chat.session.step(swarm.inputs(1), { signal: stop.signal })).rejects.toThrow('enough')
      good.intercept = () => false
      await chat.untilFollowed(0)
      expect([chat.server(0), chat.server(0, 'standby')]).toEqual([good, other])
      killAtNextStep(good)
      await chat.steps(2)
      expect(chat.server(0)).toBe(other)
    },
  )

  it('gives its memory back when its server announces that it is short of room', async () => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6)
    const chat = await begin()
    await chat.untilFollowed(0)
    const standby = chat.server(0, 'standby')
    standby.announce([swarm.dht], { cacheTokensLeft: 2 * 6 * 300 })
    await chat.client.directory.refresh()
    await vi.waitFor(() => expect(standby.openSessions).toBe(0))
    await chat.steps(2)
    expect(chat.session.standbys).toEqual([undefined])
  })

  it('is given up if something in it goes wrong, and the answer goes on', async () => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6)
    const chat = await begin()
    await chat.untilFollowed(0)
    const standby = chat.server(0, 'standby')
    vi.spyOn(chat.client.context.standbyLoad, 'begin').mockImplementation(() => {
      throw new Error('a fault')
    })
    await vi.waitFor(
      async () => {
        await chat.step(1)
        expect(standby.openSessions).toBe(0)
      },
      { interval: 20 },
    )
    await chat.steps(3)
    expect(chat.session.standbys).toEqual([undefined])
  })

  it('gives its memory back at the end of the session', async () => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6)
    const chat = await begin()
    await chat.untilFollowed(0)
    const standby = chat.server(0, 'standby')
    expect(standby.openSessions).toBe(1)
    await chat.session[Symbol.asyncDispose]()
    await vi.waitFor(() => expect(standby.openSessions).toBe(0))
  })

  it('gives its memory back when a session has no room on the server', async () => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6, { cacheTokens: 1000 * 6 })
    const chat = await begin()
    await chat.untilFollowed(0)
    const small = chat.server(0, 'standby')
    await chat.server(0).kill()
    const other = new Chat(chat.client)
    await other.step(10)
    expect(other.session.route[0]!.peer).toBe(small.id)
    // Together they may need more than it has.
    await other.session[Symbol.asyncDispose]()
    await chat.step(1)
  })

  it('has the same answer sooner than a server that hangs: that one is left long before its deadline', async () => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6)
    const chat = await begin()
    await chat.untilFollowed(0)
    const [used, standby] = [chat.server(0), chat.server(0, 'standby')]
    used.hung = true
    const deadlineMs = chat.client.context.times.deadlineMs(used.id, 1)
    await chat.steps(2)
    expect(chat.session.route[0]!.peer).toBe(standby.id)
    const [failover] = chat.session.failovers
    expect(failover!.byStandby).toBe(true)
    expect(failover!.reason).toMatch(/which its standby has done, did not answer within \d+ ms/)
    expect(Number(/within (\d+) ms/.exec(failover!.reason)![1])).toBeLessThan(deadlineMs)
  })
})

it('servers go on pushing to each other when a standby takes over for one that is late', async () => {
  for (const start of [0, 3])
    for (let i = 0; i < 2; i++) await swarm.addServer(start, start + 3, { modern: true })
  const chat = await begin({ serverToServer: 'always' })
  await chat.untilFollowed(0, 1)
  const [late, standby] = [chat.server(1), chat.server(1, 'standby')]
  late.hung = true
  await chat.steps(3)
  expect(chat.session.route[1]!.peer).toBe(standby.id)
  expect(chat.session.failovers).toMatchObject([{ failed: { peer: late.id }, byStandby: true }])
  expect(chat.session.pushed).toBe(true)
})

describe('there is no standby', () => {
  it.each<[string, Partial<SwarmConfig>, number]>([
    ['if it is switched off', { standby: 'off' }, 300],
    ['in a public swarm by default', { initialPeers: publicInitialPeers }, 300],
    ['for a short session by default', {}, 20],
  ])('%s', async (_when, config, prompt) => {
    for (let i = 0; i < 2; i++) await swarm.addServer(0, 6)
    const client = await swarm.connect()
    const context = { ...client.context, config: { ...client.context.config, ...config } }
    await using session = createInferenceSession(context, { maxLength: 2048 })
    const chat = new Chat(client, session)
    await chat.step(prompt)
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      await chat.step(1)
    }
    expect(swarm.servers.map(({ sessionsEver }) => sessionsEver).toSorted()).toEqual([0, 1])
  })

  it('on a server that is short of room', async () => {
    for (let i = 0; i < 2; i++)
      (await swarm.addServer(0, 6)).announce([swarm.dht], { cacheTokensLeft: 2 * 6 * 640 * 3 })
    const chat = await begin()
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      await chat.step(1)
    }
    expect(swarm.servers.map(({ sessionsEver }) => sessionsEver).toSorted()).toEqual([0, 1])
  })
})
