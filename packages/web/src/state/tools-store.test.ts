import { expect, it } from 'vitest'
import type { ToolList } from '../api/tools.ts'
import { ApiError } from '../api/errors.ts'
import { returns, scriptedTools } from '../testing/scripted-tools.ts'
import { createToolsStore } from './tools-store.ts'

it('asks for the tools when they are first needed, and again for one that is missing, but not each time', async () => {
  let time = 0
  let asked = 0
  const { list, modelsWithoutTools } = scriptedTools({ read: { run: returns('') } })
  const client = { list: () => ((asked += 1), list()), modelsWithoutTools }
  const store = createToolsStore(client, () => time)
  await store.known(['read'])
  await store.known(['read'])
  expect(store.find('read')?.server.name).toBe('test')
  expect(asked).toBe(1)
  await store.known(['read', 'gone'])
  expect(asked).toBe(1)
  time = 10_000
  await store.known(['read', 'gone'])
  expect(asked).toBe(2)
})

it('keeps what it knows when the server fails, and tells which models can’t call tools', async () => {
  let answer = (): Promise<ToolList> => scriptedTools({ read: { run: returns('') } }).list()
  const store = createToolsStore({
    list: () => answer(),
    modelsWithoutTools: () => Promise.resolve(new Set(['deaf'])),
  })
  await store.refresh()
  answer = () => Promise.reject(new ApiError({ kind: 'server', message: 'Broken.' }))
  await store.refresh()
  expect(store.get()).toMatchObject({
    status: 'failed',
    error: { message: 'Broken.' },
    servers: [{ name: 'test' }],
    modelsWithoutTools: new Set(['deaf']),
  })
})
