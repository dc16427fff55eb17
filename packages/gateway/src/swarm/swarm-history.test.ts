import { silentLogger, type SwarmModelStatus, type SwarmView } from '@petals-chat/engine'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { scriptedSwarmModel } from '../fixtures/scripted-swarm-model.ts'
import { HISTORY_MS, SAMPLE_INTERVAL_MS, SwarmHistory } from './swarm-history.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * SAMPLE_INTERVAL_MS)

/** The history of a swarm that looks as `models` says. */
function watch(models: () => readonly SwarmModelStatus[]) {
  const stopping = new AbortController()
  const status = vi.fn<SwarmView['status']>(async () => ({ models: models() }))
  const history = new SwarmHistory({ swarm: { status }, logger: silentLogger })
  history.start(stopping.signal)
  return { history, status, stop: () => stopping.abort() }
}

it('looks at once and every minute, and forgets after an hour', async () => {
  const { history, stop } = watch(() => [scriptedSwarmModel])
  await minutes(0)
  expect(history.of('test')).toEqual([{ at: Date.now(), servers: 2, leastReplicas: 0 }])
  await minutes(200)
  const samples = history.of('test')
  expect(samples).toHaveLength(HISTORY_MS / SAMPLE_INTERVAL_MS)
  expect(samples.at(-1)!.at - samples[0]!.at).toBe(HISTORY_MS - SAMPLE_INTERVAL_MS)
  stop()
})

it('stops with the server', async () => {
  const { history, status, stop } = watch(() => [scriptedSwarmModel])
  await minutes(2)
  stop()
  await minutes(5)
  expect(status).toHaveBeenCalledTimes(3)
  expect(history.of('test')).toHaveLength(3)
  expect(vi.getTimerCount()).toBe(0)
})

it('has a gap where there are no news, or old ones, and goes on after a failure', async () => {
  const news: (Partial<SwarmModelStatus> | undefined)[] = [
    {},
    { ageMs: undefined },
    { ageMs: 90_000 },
    undefined,
    {},
  ]
  const started = Date.now()
  const { history, stop } = watch(() => {
    const next = news.shift()
    if (!next) throw new Error('The swarm is out of reach.')
    return [{ ...scriptedSwarmModel, ...next }]
  })
  await minutes(4)
  expect(history.of('test').map(({ at }) => (at - started) / SAMPLE_INTERVAL_MS)).toEqual([0, 4])
  stop()
})

it('is kept while the swarm can not be asked which models it has', async () => {
  const { history, status, stop } = watch(() => [scriptedSwarmModel])
  await minutes(0)
  status.mockResolvedValue({ models: [], problem: "The swarm can't be reached." })
  await minutes(1)
  expect(status).toHaveBeenCalledTimes(2)
  expect(history.of('test')).toHaveLength(1)
  stop()
})

it('keeps no more models than it can hold, and none that has gone', async () => {
  let models = Array.from({ length: 500 }, (_, index) => ({ ...scriptedSwarmModel, id: `model-${index}` }))
  const { history, stop } = watch(() => models)
  await minutes(0)
  expect(history.of('model-0')).toHaveLength(1)
  expect(history.of('model-499')).toEqual([])
  models = []
  await minutes(1)
  expect(history.of('model-0')).toEqual([])
  stop()
})
