import { EventEmitter } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import {
  createModelRegistry,
  loadableModel,
  modelSpecSchema,
  ModelUnavailableError,
  type LoadProgress,
  type ModelSpec,
} from '@petals-chat/engine'
import { ScriptedEngine } from '@petals-chat/engine/testing'
import { describe, expect, it, vi } from 'vitest'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { reachableUrls } from './addresses.ts'
import { announceReady, announceStart } from './announce.ts'
import { modelsToPreload, preloadModels } from './preload.ts'
import { endWithin, waitForShutdown } from './shutdown.ts'

const spec = (id: string) => modelSpecSchema.parse({ id, engine: 'llama', source: 'none' })
const specs = ['good', 'bad', 'other'].map(spec)

function createRegistry(
  load: (spec: ModelSpec, onProgress?: (progress: LoadProgress) => void) => void | Promise<void>,
) {
  const engine = new ScriptedEngine({ beforeLoad: (spec, { onProgress }) => load(spec, onProgress) })
  return createModelRegistry({ models: specs.map((spec) => loadableModel(spec, engine)) })
}

describe('preload', () => {
  it('selects the models that the configuration names', () => {
    const ids = (preload: 'first' | 'all' | 'none') =>
      modelsToPreload({ preload, models: specs }).map(({ id }) => id)
    expect(ids('first')).toEqual(['good'])
    expect(ids('all')).toEqual(['good', 'bad', 'other'])
    expect(ids('none')).toEqual([])
  })

  it('shows the progress of a model, and continues after one that fails', async () => {
    const registry = createRegistry(async ({ id }, onProgress) => {
      if (id === 'bad') throw new ModelUnavailableError('The disk is full. Make room.')
      onProgress?.({ phase: 'download', label: `${id}.gguf`, done: 5e6, total: 1e7, unit: 'bytes' })
      await setTimeout(500)
    })
    const { terminal, stdout } = recordingTerminal()
    await preloadModels(registry, specs.slice(0, 2), terminal, new AbortController().signal)
    expect(stdout()).toContain('Downloading good.gguf: 50 %, 5.0 MB of 10.0 MB')
    await announceReady(terminal, registry, ['http://127.0.0.1:5000', 'http://10.0.0.2:5000'])
    expect(stdout()).toMatch(/Chat +http:\/\/127\.0\.0\.1:5000\n +http:\/\/10\.0\.0\.2:5000\n/)
    expect(stdout()).toMatch(/✓ good +ready\n/)
    expect(stdout()).toMatch(/✗ bad +unavailable: The disk is full\. Make room\.\n/)
    expect(stdout()).toMatch(/○ other +loads at its first use\n/)
    expect(stdout()).toMatch(/Stop +Ctrl\+C\n/)
  })

  it('ends with the process', async () => {
    const stopping = new AbortController()
    const registry = createRegistry(() => new Promise(() => {}))
    const { terminal } = recordingTerminal()
    const loading = preloadModels(registry, specs, terminal, stopping.signal)
    stopping.abort()
    await expect(loading).resolves.toBeUndefined()
  })
})

describe('announceStart', () => {
  it('names the version and the address', () => {
    const { terminal, stdout } = recordingTerminal()
    announceStart(terminal, 'http://127.0.0.1:5000')
    expect(stdout()).toMatch(/^Petals Chat \d+\.\d+\.\d+ is listening on http:\/\/127\.0\.0\.1:5000\n$/)
  })
})

describe('reachableUrls', () => {
  const address = (text: string, internal = false, family: 'IPv4' | 'IPv6' = 'IPv4') =>
    ({ address: text, family, internal, netmask: '', mac: '', cidr: null, scopeid: 0 }) as never
  const interfaces = {
    lo: [address('127.0.0.1', true)],
    eth0: [address('10.0.0.2'), address('fe80::1', false, 'IPv6')],
  }

  it('lists the addresses of this machine if the server listens on all of them', () => {
    expect(reachableUrls('0.0.0.0', 80, interfaces)).toEqual(['http://127.0.0.1:80', 'http://10.0.0.2:80'])
    expect(reachableUrls('127.0.0.1', 80, interfaces)).toEqual(['http://127.0.0.1:80'])
    expect(reachableUrls('::1', 80, interfaces)).toEqual(['http://[::1]:80'])
  })
})

describe('endWithin', () => {
  it('ends the process after the drain and the closing, whatever hangs', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    try {
      const calls: string[] = []
      const target = Object.assign(new EventEmitter(), {
        exit: (code: unknown) => calls.push(`exit ${code}`),
      })
      endWithin(30_000, { onLate: () => calls.push('late'), process: target as never })
      await vi.advanceTimersByTimeAsync(34_000)
      expect(calls).toEqual([])
      await vi.advanceTimersByTimeAsync(2_000)
      expect(calls).toEqual(['late', 'exit 1'])
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('waitForShutdown', () => {
  function start(hasTerminal = false) {
    const exits: unknown[] = []
    const target = Object.assign(new EventEmitter(), { exit: (code: unknown) => exits.push(code) })
    let first = 0
    const done = waitForShutdown({ process: target as never, onFirst: () => first++, hasTerminal })
    return { exits, target, done, firsts: () => first }
  }

  it('ends at the first signal, and at once at the second', async () => {
    const { exits, target, done, firsts } = start()
    target.emit('SIGTERM')
    await done
    expect(firsts()).toBe(1)
    await setTimeout(400)
    expect(exits).toEqual([])
    target.emit('SIGINT')
    expect(exits).toEqual([130])
  })

  it('treats a signal that npm repeats as one', async () => {
    const { exits, target, done } = start()
    target.emit('SIGINT')
    await done
    await setTimeout(50)
    target.emit('SIGINT')
    expect(exits).toEqual([])
  })

  it('ends when its parent process is gone, but not abruptly', async () => {
    const { exits, target, done, firsts } = start()
    target.emit('disconnect')
    await done
    await setTimeout(400)
    target.emit('disconnect')
    expect([firsts(), exits]).toEqual([1, []])
  })

  it('ends when its terminal is closed, but continues without a terminal, as under nohup', async () => {
    const closed = start(true)
    closed.target.emit('SIGHUP')
    await closed.done
    expect(closed.firsts()).toBe(1)

    const kept = start(false)
    kept.target.emit('SIGHUP')
    expect(await Promise.race([kept.done.then(() => 'ended'), setTimeout(50, 'runs')])).toBe('runs')
  })
})
