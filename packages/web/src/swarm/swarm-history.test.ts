import { describe, expect, it } from 'vitest'
import { parseSwarm } from '../api/swarm.ts'
import { HISTORY_MS, parseHistory, recordSamples, type SwarmHistory } from './swarm-history.ts'

const models = parseSwarm({
  models: [
    {
      id: 'a',
      replicas: [2, 1, 3],
      servers: [{ state: 'online' }, { state: 'online' }, { state: 'joining' }],
    },
  ],
})

it('takes samples at intervals, and drops them after an hour', () => {
  let history: SwarmHistory = {}
  for (let now = 0; now <= 2 * HISTORY_MS; now += 5000) history = recordSamples(history, models, now)
  expect(history['a']!.at(-1)).toEqual({ at: 2 * HISTORY_MS, servers: 2, leastReplicas: 1 })
  expect(history['a']).toHaveLength(240)
  expect(history['a']![0]!.at).toBeGreaterThan(HISTORY_MS)
})

it('drops samples that a wrong clock put into the future', () => {
  const history = { a: [{ at: 1e12, servers: 9, leastReplicas: 9 }] }
  expect(recordSamples(history, models, 5000)['a']).toEqual([{ at: 5000, servers: 2, leastReplicas: 1 }])
})

describe('the samples of the server', () => {
  const look = (minutes: number, servers: number) => ({ ageMs: minutes * 60_000, servers, leastReplicas: 1 })
  const seenBy = (server: readonly object[]) =>
    parseSwarm({ models: [{ id: 'a', replicas: [1], servers: [{ state: 'online' }], history: server }] })
  const shown = (history: SwarmHistory, now: number) =>
    history['a']!.map(({ at, servers }) => [(at - now) / 60_000, servers])
  const now = 1e12

  it('are shown from the first visit of a page on', () => {
    const history = recordSamples({}, seenBy([look(59, 4), look(2, 3), look(1, 2)]), now)
    expect(shown(history, now)).toEqual([
      [-59, 4],
      [-2, 3],
      [-1, 2],
      [0, 1],
    ])
  })

  it('stand between the page’s samples from before and after a restart of the server', () => {
    let history: SwarmHistory = { a: [{ at: now - 30 * 60_000, servers: 9, leastReplicas: 9 }] }
    history = recordSamples(history, seenBy([look(10, 2)]), now)
    expect(shown(history, now)).toEqual([
      [-30, 9],
      [-10, 2],
      [0, 1],
    ])
  })

  it('are not doubled, although responses take time', () => {
    let history: SwarmHistory = {}
    for (let second = 0; second < 600; second += 5) {
      const delay = (second % 7) * 20
      const server = [20, 10, 0].map((minutes) => ({
        ...look(minutes, 2),
        ageMs: minutes * 60_000 + second * 1000,
      }))
      history = recordSamples(history, seenBy(server), now + second * 1000 + delay)
    }
    const ofServer = history['a']!.filter(({ servers }) => servers === 2)
    expect(ofServer).toHaveLength(3)
    expect(history['a']!.length).toBeLessThanOrEqual(3 + 40)
  })

  it('are dropped if they make no sense', () => {
    const [model] = seenBy([{ ageMs: 'x', servers: 1, leastReplicas: 1 }, { ageMs: 5 }, look(1, 2)])
    expect(model!.history).toEqual([look(1, 2)])
    expect(parseSwarm({ models: [{ id: 'a', history: 'none' }] })[0]!.history).toEqual([])
  })
})

it('reads only valid histories', () => {
  const history = recordSamples({}, models, 5000)
  expect(parseHistory(JSON.stringify(history))).toEqual(history)
  for (const json of [null, '', '[]', '{"a":4}', '{"a":[{"at":"x"}]}', 'nonsense']) {
    expect(Object.values(parseHistory(json)).flat()).toEqual([])
  }
})
