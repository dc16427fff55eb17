import { expect, test } from 'vitest'
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

test('takes a look now and then, and forgets after an hour', () => {
  let history: SwarmHistory = {}
  for (let now = 0; now <= 2 * HISTORY_MS; now += 5000) history = recordSamples(history, models, now)
  expect(history['a']!.at(-1)).toEqual({ at: 2 * HISTORY_MS, servers: 2, leastReplicas: 1 })
  expect(history['a']).toHaveLength(240)
  expect(history['a']![0]!.at).toBeGreaterThan(HISTORY_MS)
})

test('looks that a wrong clock put into the future are dropped', () => {
  const history = { a: [{ at: 1e12, servers: 9, leastReplicas: 9 }] }
  expect(recordSamples(history, models, 5000)['a']).toEqual([{ at: 5000, servers: 2, leastReplicas: 1 }])
})

test('reads only what it wrote', () => {
  const history = recordSamples({}, models, 5000)
  expect(parseHistory(JSON.stringify(history))).toEqual(history)
  for (const json of [null, '', '[]', '{"a":4}', '{"a":[{"at":"x"}]}', 'nonsense']) {
    expect(Object.values(parseHistory(json)).flat()).toEqual([])
  }
})
