import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '@petals-chat/engine'
import type { SwarmServer } from '../../swarm/server.ts'
import { answerAtOnce, chatsAtOnce as chats } from '../support/crowd.ts'
import { FaultHarness, type Prompt } from '../support/fault-harness.ts'
import {
  killMoments,
  killRun,
  prepareKillPrompts,
  type KillMoment,
  type KillPrompts,
  type KillRun,
} from '../support/kill-runs.ts'
import { linkFaults, linkRun } from '../support/link-faults.ts'
import { independentValidator } from '../support/random-schemas.ts'
import { rewindingRun } from '../support/rewinding.ts'
import { lieRun } from '../support/spot-check-runs.ts'

/** Twenty answers; `npm run bench:faults` makes 100. */
const answersOf: Readonly<Record<KillMoment, number>> = {
  'before the first token': 5,
  'in prefill': 5,
  'at a random token': 6,
  'twice in a row': 2,
  'both spans at once': 2,
}

/** The goal is a p95 of 3 s, and 5 s for a server that hangs. The test machine may be busy starting servers. */
const maxKillPauseMs = 10_000
const maxHangPauseMs = 15_000
const maxFaultPauseMs = 20_000

/** The last part is long enough to be cut by two kills, and has words that are forced as well as free ones. */
const tale = {
  type: 'object',
  properties: {
    hero: { enum: ['Lily', 'Tim'] },
    animals: { type: 'array', items: { enum: ['a dragon', 'a bird', 'a cat'] }, minItems: 2, maxItems: 4 },
    beginning: { type: 'string', minLength: 60, maxLength: 120 },
  },
  required: ['hero', 'animals', 'beginning'],
  additionalProperties: false,
}

/** Does work that stops servers, and lets them go on whatever happens. */
async function whileStopped<T>(
  work: (stop: (...servers: readonly SwarmServer[]) => void) => Promise<T>,
): Promise<T> {
  const stopped: SwarmServer[] = []
  const stop = (...servers: readonly SwarmServer[]): void => {
    stopped.push(...servers)
    for (const server of servers) server.signal('SIGSTOP')
  }
  try {
    return await work(stop)
  } finally {
    for (const server of stopped) if (server.running()) server.signal('SIGCONT')
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1]!

describe('a swarm with two or three servers for each span', () => {
  let harness: FaultHarness
  let prompts: KillPrompts
  const runs: KillRun[] = []
  beforeAll(async () => {
    // The third one restarts while answers continue with the other two.
    harness = await FaultHarness.start({
      model: 'stories15M',
      replicas: 3,
      required: 2,
      seed: 20,
      canLie: true,
    })
    prompts = await prepareKillPrompts(harness)
  })
  afterAll(() => harness?.[Symbol.asyncDispose]())

  // Before servers are killed: it takes all three of a span to find out which one lies.
  it.each([
    ['scale 1.05', 0],
    ['layers', 1],
  ] as const)('finds a server that lies (%s), and answers without it', async (lie, hop) => {
    const { short } = prompts
    const options = { lie, hop, mostTokens: 500, prompts: ['Once upon a time'], then: short }
    const { tokens, found, ids } = await lieRun(harness.subject.swarm, 'stories15M', options)
    console.log(`${lie}: found after ${tokens} tokens`)
    expect(found).toBe('the liar')
    expect(ids).toEqual(short.expected)
  })

  it('pauses and continues with the same tokens when a server hangs (SIGSTOP)', async () => {
    const answer = await whileStopped((stop) =>
      harness.answer(prompts.short, [
        { afterTokens: 32, delayMs: 0, act: (session) => stop(harness.serverOf(session, 0)) },
      ]),
    )
    console.log(`SIGSTOP: pause ${seconds(answer.pauseMs)}`)
    expect(answer.ids).toEqual(prompts.short.expected)
    expect(answer.failovers).toBeGreaterThan(0)
    expect(answer.pauseMs).toBeLessThan(maxHangPauseMs)
  })

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    `continues ${chats} answers at once with the same tokens: %s`,
    async (signal) => {
      const { answers, identical, failovers, pauseMs } = await whileStopped((stop) =>
        answerAtOnce(harness, prompts.short, {
          afterTokens: 24,
          strike(session) {
            const server = harness.serverOf(session, 0)
            if (signal === 'SIGKILL') harness.kill(server)
            else stop(server)
          },
        }),
      )
      await harness.repaired()
      console.log(`${signal} with ${chats} answers: longest pause ${seconds(pauseMs)}`)
      expect(identical).toBe(answers)
      expect(failovers).toBeGreaterThan(0)
      expect(pauseMs).toBeLessThan(signal === 'SIGKILL' ? maxKillPauseMs : maxHangPauseMs)
    },
  )

  it(`${chats} dialogues that rewind have the same tokens, while servers are killed`, async () => {
    const { dialogues, identical, failovers } = await rewindingRun(harness)
    expect(identical).toBe(dialogues)
    expect(failovers).toBeGreaterThan(0)
  })

  it('completes a structured answer with the same tokens, and it fits its schema', async () => {
    const grammar = { type: 'json-schema', schema: tale } as const
    const prompt = await harness.prepare('Tell a tale as JSON: ', 200, grammar)
    const kill = (afterTokens: number, hop: number) => ({
      afterTokens,
      delayMs: 0,
      act: (session: Session) => harness.kill(harness.serverOf(session, hop)),
    })
    const answer = await harness.answer(prompt, [kill(8, 0), kill(24, 1)])
    await harness.repaired()
    const text = harness.subject.model.tokenizer.decode(answer.ids.slice(0, -1))
    console.log(`${text}: ${answer.ids.length} tokens, pause ${seconds(answer.pauseMs)}`)
    expect(answer.ids).toEqual(prompt.expected)
    expect(answer.failovers).toBeGreaterThan(1)
    expect(independentValidator().compile(tale)(JSON.parse(text))).toBe(true)
  })

  it.each(killMoments)('completes every answer with the same tokens: kill -9 %s', async (moment) => {
    for (let i = 0; i < answersOf[moment]; i++) {
      const run = await killRun(harness, prompts, moment)
      runs.push(run)
      expect(run).toMatchObject({ identical: true, disturbed: true })
    }
    const pauses = runs.filter((run) => run.moment === moment).map(({ pauseMs }) => seconds(pauseMs))
    console.log(`kill -9 ${moment}: pauses ${pauses.join(', ')}`)
  })

  it('asks slow replicas again when the server in use is killed', async () => {
    const answer = await whileStopped((stop) =>
      harness.answer(prompts.short, [
        {
          afterTokens: 24,
          delayMs: 0,
          act(session) {
            const used = harness.serverOf(session, 0)
            const others = harness.replicasOf(used).filter((each) => each !== used)
            stop(...others)
            setTimeout(() => others.forEach((other) => other.signal('SIGCONT')), 5000)
            harness.kill(used)
          },
        },
      ]),
    )
    await harness.repaired()
    console.log(`kill -9, replicas 5 s late: pause ${seconds(answer.pauseMs)}`)
    expect(answer.disturbed).toBe(true)
    expect(answer.ids).toEqual(prompts.short.expected)
  })

  it('waits when all servers of a span are gone, reports the blocks, and continues with the same tokens', async () => {
    let gone = { start: -1, end: -1 }
    const answer = await harness.answer(prompts.short, [
      {
        afterTokens: 24,
        delayMs: 0,
        act(session) {
          const used = harness.serverOf(session, 1)
          gone = { start: used.start, end: used.end }
          for (const server of harness.replicasOf(used)) harness.kill(server)
        },
      },
    ])
    await harness.repaired()
    console.log(`a span without servers: pause ${seconds(answer.pauseMs)}`)
    expect(answer.ids).toEqual(prompts.short.expected)
    expect(answer.waits[0]?.blocks).toEqual([gone])
    expect(answer.waits.at(-1)).toBeUndefined()
  })

  it('has seen real failures, with short pauses', () => {
    const pauses = runs.map(({ pauseMs }) => pauseMs)
    console.log(
      `${runs.length} kills: pause median ${seconds(quantile(pauses, 0.5))}, p95 ${seconds(quantile(pauses, 0.95))}`,
    )
    expect(runs.length).toBe(20)
    expect(runs.filter(({ failovers }) => failovers > 0).length).toBeGreaterThan(runs.length * 0.8)
    expect(quantile(pauses, 0.95)).toBeLessThan(maxKillPauseMs)
  })
})

describe('a swarm behind network links that fail', () => {
  let harness: FaultHarness
  let short: Prompt
  beforeAll(async () => {
    harness = await FaultHarness.start({ model: 'stories15M', replicas: 2, seed: 21, relay: {} })
    short = await harness.prepare('Once upon a time', 48)
  })
  afterAll(() => harness?.[Symbol.asyncDispose]())

  it.each(linkFaults)(`gives no wrong token to ${chats} answers, and does not hang: $name`, async (fault) => {
    const hop = linkFaults.indexOf(fault) % 2
    const { answers, identical, pauseMs } = await linkRun(harness, short, fault, hop)
    console.log(`${fault.name}: longest pause ${seconds(pauseMs)}`)
    expect(identical).toBe(answers)
    expect(pauseMs).toBeLessThan(maxFaultPauseMs)
  })
})
