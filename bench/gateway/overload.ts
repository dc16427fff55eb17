import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PetalsChat } from '../../tests/e2e/support/petals-chat.ts'
import { processCpuSeconds } from '../support/process-cpu.ts'
import { quantile, rounded } from '../support/statistics.ts'
import type { Finding } from './attacks.ts'

/** The server must trust the loopback as a proxy: each user has an address. */
const USERS = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']
/** A round is as long as some dozens of answers take, within these bounds. */
const MIN_ROUND_MS = 12_000
const MAX_ROUND_MS = 20_000
const ROUNDS = 3
const SETTLE_MS = 2_000
const PARALLEL = 16
const OVERLOAD = 10

interface Answer {
  readonly status: number
  readonly ms: number
}

/** What a time under load has brought. */
interface Load {
  readonly answersPerSecond: number
  /** Milliseconds until a request was refused. */
  readonly refusedMs: readonly number[]
  /** Answers that ended in the time, by user. */
  readonly byUser: readonly number[]
  /** Requests that were neither answered nor refused. */
  readonly failed: number
  /** CPU milliseconds of the gateway, without its model's process, for each request that ended. */
  readonly cpuMsPerRequest: number
}

const body = JSON.stringify({
  messages: [{ role: 'user', content: 'Count from one to one hundred.' }],
  max_tokens: 24,
  temperature: 0,
})

/** Sends a question as the client at `address`. Plain node:http, since this process shares the cores with the server. */
function ask(agent: Agent, url: string, address: string): Promise<Answer> {
  const startedAt = performance.now()
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-forwarded-for': address,
  }
  const outgoing = request(`${url}/v1/chat/completions`, { method: 'POST', agent, headers }, (incoming) => {
    incoming.resume()
    incoming.once('close', () => resolve({ status: incoming.statusCode!, ms: performance.now() - startedAt }))
  })
  // At the end of the round, those that still wait are cut off.
  outgoing.once('error', reject)
  outgoing.end(body)
  return promise
}

/** Runs `drive` for the time of a round; what ends later does not count. */
async function measure(
  { url, process: { pid } }: PetalsChat,
  roundMs: number,
  drive: (ask: (user: number) => Promise<void>, isOver: () => boolean) => Promise<void>,
): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const refusedMs: number[] = []
  const byUser = USERS.map(() => 0)
  const startedAt = performance.now()
  const cpuBefore = await processCpuSeconds(pid!)
  let cpuSeconds = 0
  let failed = 0
  const isOver = () => performance.now() - startedAt >= roundMs
  const ended = sleep(roundMs).then(async () => {
    cpuSeconds = (await processCpuSeconds(pid!)) - cpuBefore
    agent.destroy()
  })
  await drive(async (user) => {
    const answer = await ask(agent, url, USERS[user]!).catch(() => undefined)
    if (isOver()) return
    if (answer?.status === 200) byUser[user]! += 1
    else if (answer?.status === 429) refusedMs.push(answer.ms)
    else failed += 1
  }, isOver)
  await ended
  const answers = byUser.reduce((sum, count) => sum + count, 0)
  return {
    answersPerSecond: (answers * 1000) / roundMs,
    refusedMs,
    byUser,
    failed,
    cpuMsPerRequest: (cpuSeconds * 1000) / Math.max(answers + refusedMs.length, 1),
  }
}

/** Waits until the answers that the end of a round cut off are gone: their time belongs to no round. */
const settle = (): Promise<void> => sleep(SETTLE_MS)

/** Returns the milliseconds in which every client of the full load gets one answer. */
async function answerOnce({ url }: PetalsChat): Promise<number> {
  const agent = new Agent({ maxSockets: Infinity })
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: PARALLEL }, (_, number) => ask(agent, url, USERS[number % USERS.length]!)),
  )
  return performance.now() - startedAt
}

/** As many requests at a time as keep every session busy. */
const fullLoad = (server: PetalsChat, roundMs: number): Promise<Load> =>
  measure(server, roundMs, async (ask, isOver) => {
    const client = async (number: number): Promise<void> => {
      while (!isOver()) await ask(number % USERS.length)
    }
    await Promise.all(Array.from({ length: PARALLEL }, (_, number) => client(number)))
  })

/** Requests at a steady rate, whatever becomes of them. */
const overload = (server: PetalsChat, roundMs: number, requestsPerSecond: number): Promise<Load> =>
  measure(server, roundMs, async (ask, isOver) => {
    const startedAt = performance.now()
    const asked: Promise<void>[] = []
    while (!isOver()) {
      const due = ((performance.now() - startedAt) * requestsPerSecond) / 1000
      while (asked.length < due) asked.push(ask(asked.length % USERS.length))
      await sleep(5)
    }
    await Promise.all(asked)
  })

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** Ten times as many requests as the model can answer, from four users (G11). Full load and overload take turns. */
export async function tenfoldOverload(server: PetalsChat): Promise<Finding> {
  await answerOnce(server)
  const roundMs = Math.min(Math.max(3 * (await answerOnce(server)), MIN_ROUND_MS), MAX_ROUND_MS)
  const full: Load[] = []
  const over: Load[] = []
  for (let round = 0; round < ROUNDS; round++) {
    full.push(await fullLoad(server, roundMs))
    console.error(
      JSON.stringify({ roundMs: Math.round(roundMs), answersPerSecond: full.at(-1)!.answersPerSecond }),
    )
    await settle()
    over.push(await overload(server, roundMs, OVERLOAD * full.at(-1)!.answersPerSecond))
    console.error(JSON.stringify({ overload: over.at(-1)!.answersPerSecond }))
    await settle()
  }
  const peak = mean(full.map(({ answersPerSecond }) => answersPerSecond))
  const failed = [...full, ...over].reduce((sum, load) => sum + load.failed, 0)
  if (peak === 0)
    throw new Error(
      `No answer ended in the time of a round, and ${failed} requests failed: this machine is too busy.`,
    )
  const goodput = mean(over.map(({ answersPerSecond }) => answersPerSecond)) / peak
  const refusedMs = over.flatMap((load) => load.refusedMs)
  if (refusedMs.length === 0)
    throw new Error('The queue was never full in the time of a round: this machine is too busy.')
  const byUser = USERS.map((_, user) => over.reduce((sum, load) => sum + load.byUser[user]!, 0))
  const unfairness = Math.max(...byUser) / Math.min(...byUser)
  const refusedP99Ms = rounded(quantile(refusedMs, 0.99))
  return {
    attack: 'G11: ten times as many requests as the model can answer',
    holds: failed === 0 && goodput >= 0.9 && refusedP99Ms <= 50 && unfairness <= 1.5,
    figures: {
      roundMs: Math.round(roundMs),
      peakPerSecond: rounded(peak),
      goodput: rounded(goodput),
      refused: refusedMs.length,
      failed,
      refusedP50Ms: rounded(quantile(refusedMs, 0.5)),
      refusedP99Ms,
      unfairness: rounded(unfairness),
      cpuMsPerRequest: rounded(mean(over.map(({ cpuMsPerRequest }) => cpuMsPerRequest))),
    },
  }
}
