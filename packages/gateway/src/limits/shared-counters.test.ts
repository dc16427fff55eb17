import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { Valkey } from 'iovalkey'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { silentLogger } from '@petals-chat/engine'
import { type LogRecord, recordingLogger } from '../fixtures/test-gateway.ts'
import { freePort } from '@petals-chat/engine/testing'
import { startValkey, type TestValkey } from './fixtures/valkey.ts'
import { sharedCounters } from './shared-counters.ts'
import type { WindowCounters } from './window-counters.ts'

let valkey: TestValkey

beforeAll(async () => {
  valkey = await startValkey()
})

afterAll(() => valkey[Symbol.asyncDispose]())

/** Resolves once counts reach the server: they are then seen by another gateway. */
async function connected(counters: WindowCounters, other: WindowCounters, key: string): Promise<void> {
  await expect
    .poll(async () => {
      await counters.add(key, 1, 60)
      return (await other.peek(key))?.used ?? 0
    })
    .toBeGreaterThan(0)
}

it('shares its counts with other gateways, in windows that the server ends', async () => {
  await using one = sharedCounters(valkey, silentLogger)
  await using two = sharedCounters(valkey, silentLogger)
  await connected(one, two, 'hello')
  await connected(two, one, 'hello again')
  await one.add('shared', 5, 2)
  expect(await two.add('shared', 2, 2)).toMatchObject({ used: 7 })
  expect(await two.add('shared', -4, 2)).toMatchObject({ used: 3 })
  expect((await one.peek('shared'))!.resetMs).toBeLessThanOrEqual(2_000)
  await expect.poll(() => one.peek('shared')).toBeUndefined()
})

it('counts by itself while the server hangs, says so once, and shares again when it answers', async () => {
  const log: LogRecord[] = []
  await using one = sharedCounters(valkey, recordingLogger(log))
  await using two = sharedCounters(valkey, silentLogger)
  await connected(one, two, 'before')
  valkey.process.kill('SIGSTOP')
  try {
    expect(await one.add('hanging', 3, 60)).toMatchObject({ used: 3 })
    expect(await one.add('hanging', 3, 60)).toMatchObject({ used: 6 })
    expect(log.map(({ level }) => level)).toEqual(['warn'])
  } finally {
    valkey.process.kill('SIGCONT')
  }
  await connected(one, two, 'after')
  expect(log.map(({ level }) => level)).toEqual(['warn', 'info'])
})

it('starts without the server, and uses it once it is there', async () => {
  const log: LogRecord[] = []
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  await using one = sharedCounters({ url }, recordingLogger(log))
  await using two = sharedCounters({ url }, silentLogger)
  expect(await one.add('early', 2, 60)).toMatchObject({ used: 2 })
  expect(await one.add('early', 2, 60)).toMatchObject({ used: 4 })
  await expect.poll(() => log.length).toBe(1)
  await using late = await startValkey(port)
  expect(late.url).toBe(url)
  await connected(one, two, 'late')
  late.process.kill('SIGKILL')
  await expect.poll(() => one.add('killed', 1, 60)).toMatchObject({ used: 3 })
})

it('tells the server afterwards what it has counted meanwhile, each count once, and what was given back', async () => {
  await using one = sharedCounters(valkey, silentLogger)
  await using two = sharedCounters(valkey, silentLogger)
  await connected(one, two, 'ready')
  await connected(two, one, 'ready too')
  await one.add('reserved', 100, 60)
  valkey.process.kill('SIGSTOP')
  try {
    // The server executes this one later, when it is too late to be waited for.
    expect(await one.add('late', 3, 60)).toMatchObject({ used: 3 })
    expect(await one.add('meanwhile', 7, 60)).toMatchObject({ used: 7 })
    expect(await one.add('reserved', 10, 60)).toMatchObject({ used: 110 })
    expect(await one.add('reserved', -90, 60)).toMatchObject({ used: 20 })
    expect(await one.peek('reserved')).toMatchObject({ used: 20 })
  } finally {
    valkey.process.kill('SIGCONT')
  }
  await connected(one, two, 'again')
  const seen = async () => {
    const windows = [await two.peek('late'), await two.peek('meanwhile'), await two.peek('reserved')]
    return windows.map((window) => window?.used)
  }
  await expect.poll(seen).toEqual([3, 7, 20])
  // What was reserved meanwhile is given back to the server, which has it now.
  expect(await one.add('meanwhile', -5, 60)).toMatchObject({ used: 2 })
  await expect.poll(seen).toEqual([3, 2, 20])
})

/** A connection to the server that lets through what is sent, and can be cut before the answers. */
async function startCut() {
  let isCut = false
  const proxy = createServer((client) => {
    const server = connect(Number(new URL(valkey.url).port), '127.0.0.1')
    const end = () => [client, server].forEach((socket) => socket.destroy())
    for (const socket of [client, server]) socket.on('error', end).on('close', end)
    client.pipe(server)
    // The server has done what it was sent when it answers.
    server.on('data', (answer) => (isCut ? end() : client.write(answer)))
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return {
    url: `redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    cut: (cut: boolean) => (isCut = cut),
    [Symbol.dispose]: () => void proxy.close(),
  }
}

it('counts once what the server has counted before its answer was lost', async () => {
  using link = await startCut()
  await using one = sharedCounters(link, silentLogger)
  await using two = sharedCounters(valkey, silentLogger)
  await connected(one, two, 'linked')
  await connected(two, one, 'linked too')
  await one.add('lost', 100, 60)
  link.cut(true)
  expect(await one.add('lost', 40, 60)).toMatchObject({ used: 140 })
  expect(await two.peek('lost')).toMatchObject({ used: 140 })
  expect(await one.add('lost', -30, 60)).toMatchObject({ used: 110 })
  await two.add('lost', 5, 60)
  link.cut(false)
  await connected(one, two, 'again linked')
  await expect.poll(async () => (await two.peek('lost'))?.used).toBe(115)
  expect(await one.add('lost', 1, 60)).toMatchObject({ used: 116 })
})

it('counts in a new window only what is new in it', async () => {
  await using one = sharedCounters(valkey, silentLogger)
  await using two = sharedCounters(valkey, silentLogger)
  await connected(one, two, 'rolling')
  await connected(two, one, 'rolling too')
  await one.add('short', 9, 60)
  const client = new Valkey(valkey.url)
  // The server ends the window before this process knows.
  expect(await client.del('petals-chat:window:short')).toBe(1)
  client.disconnect()
  expect(await one.add('short', 2, 60)).toMatchObject({ used: 2 })
  expect(await two.add('short', 1, 60)).toMatchObject({ used: 3 })
  expect(await one.add('short', 3, 60)).toMatchObject({ used: 6 })
})
