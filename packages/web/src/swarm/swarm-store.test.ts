import { expect, it } from 'vitest'
import { parseSwarm } from '../api/swarm.ts'
import { createSwarmStore } from './swarm-store.ts'

const models = parseSwarm({ models: [{ id: 'a', replicas: [1, 2], servers: [{ state: 'online' }] }] })

it('keeps the last hour through a reload', async () => {
  const kept = new Map<string, string>()
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  }
  const open = (minutes: number) =>
    createSwarmStore({ fetchSwarm: () => Promise.resolve(models), storage, now: () => minutes * 60_000 })
  const look = async (minutes: number) => {
    const store = open(minutes)
    const stop = store.watch()
    await expect.poll(() => store.get().status).toBe('ready')
    stop()
  }
  await look(100)
  await look(130)
  const reloaded = open(131)
  expect(reloaded.get().history['a']?.map(({ at }) => at / 60_000)).toEqual([100, 130])
  await look(165)
  expect(
    open(166)
      .get()
      .history['a']?.map(({ at }) => at / 60_000),
  ).toEqual([130, 165])
})
