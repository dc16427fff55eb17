import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { defaultModelPath } from '../../../../tests/support/model.ts'
import { llamaConfigSchema } from '../config.ts'
import { readGgufInfo } from '../gguf/read-gguf.ts'
import { ModelWorker } from './model-worker.ts'
import { ProcessSource } from './process-source.ts'

const config = llamaConfigSchema.parse({ threads: 1, sequences: 1, contextLength: 128 })

async function sparePid(processes: ProcessSource, other?: number): Promise<number> {
  while (processes.sparePid === undefined || processes.sparePid === other) await sleep(10)
  return processes.sparePid
}

describe('the spare process of the local engine', () => {
  it('waits for a model, takes over when the process of one dies, and is replaced, also when it dies itself', async () => {
    await using processes = new ProcessSource({ config, cores: 1, logger: silentLogger, spareDelayMs: 0 })
    const options = { modelId: 'SmolLM2', config, processes, logger: silentLogger, onRestart: () => {} }
    await using worker = new ModelWorker(options)
    expect(processes.sparePid).toBeUndefined()
    const path = await defaultModelPath()
    const first = await worker.load({ path, facts: await readGgufInfo(path) }, () => {}, {})
    const spare = await sparePid(processes)
    process.kill(worker.pid!, 'SIGKILL')
    while (worker.status().state === 'ready') await sleep(10)
    await worker.ready()
    expect(worker.pid).toBe(spare)
    // What the first process measured holds for the second, which loads sooner without it.
    const embedding = await worker.ask((request) => ({ type: 'embed', request, tokens: [1] }), {})
    expect(embedding.type).toBe('embedding')
    expect(first.stepTimes).toEqual([{ threads: 1, ms: expect.any(Array) as number[] }])
    const next = await sparePid(processes, spare)

    process.kill(next, 'SIGKILL')
    await sparePid(processes, next)
    expect(worker.status()).toEqual({ state: 'ready' })
  })

  it('ends with the engine', async () => {
    const processes = new ProcessSource({ config, cores: 1, logger: silentLogger, spareDelayMs: 0 })
    processes.keepSpare()
    const spare = await sparePid(processes)
    await processes[Symbol.asyncDispose]()
    expect(() => process.kill(spare, 0)).toThrow('ESRCH')
    processes.keepSpare()
    await sleep(20)
    expect(processes.sparePid).toBeUndefined()
  })
})
