import type { ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { blobNames, partialFiles } from '../testing/cached-files.ts'
import { outputOf, startChild } from '../testing/child-store.ts'
import { type TestStore, openTestStore, someBytes } from '../testing/test-store.ts'

const model = someBytes(2_000_000)

let testStore: TestStore
const children: ChildProcess[] = []
beforeEach(async () => {
  testStore = await openTestStore()
  testStore.hub.addRepository('owner/repo', { files: { 'model.gguf': model } })
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await testStore[Symbol.asyncDispose]()
})

function start(): ChildProcess {
  const child = startChild(testStore, 'hf:owner/repo/model.gguf')
  children.push(child)
  return child
}

async function untilPartial(bytes: number): Promise<void> {
  while (true) {
    const [path] = await partialFiles(testStore.cacheDir)
    if (path !== undefined && (await readFile(path)).length >= bytes) return
    await sleep(20)
  }
}

const cdnRequests = () => testStore.hub.requests.filter(({ host }) => host === 'cdn')

it('two processes that want the same file download it once, and both report progress', async () => {
  // So slow that the second process comes before the first one is done, however long it takes to start.
  testStore.hub.inject({ on: 'cdn', bytesPerSecond: 200_000, times: 2 })
  const outputs = await Promise.all([outputOf(start()), outputOf(start())])
  expect(cdnRequests()).toHaveLength(1)
  for (const output of outputs) {
    const path = /path (.*)/.exec(output)?.[1] ?? ''
    expect(Buffer.compare(await readFile(path), model)).toBe(0)
    const steps = [...output.matchAll(/progress (\d+)/g)].map(([, done]) => Number(done))
    expect(steps.filter((done) => done > 0 && done < model.length).length).toBeGreaterThan(1)
    expect(steps.at(-1)).toBe(model.length)
  }
})

it('when the downloading process is killed, the other one resumes', async () => {
  // So slow that the first process is not done with it, however late it is killed.
  testStore.hub.inject({ on: 'cdn', bytesPerSecond: 100_000 })
  const first = start()
  await untilPartial(150_000)
  const second = outputOf(start())
  await sleep(500)
  first.kill('SIGKILL')
  const path = /path (.*)/.exec(await second)?.[1] ?? ''
  expect(Buffer.compare(await readFile(path), model)).toBe(0)
  expect(cdnRequests()[1]?.headers.range).toMatch(/^bytes=[1-9]\d{5,}-1999999$/)
  expect(await partialFiles(testStore.cacheDir)).toEqual([])
  expect(await blobNames(testStore.cacheDir, 'owner/repo')).toHaveLength(1)
})
