import { describe, expect, it } from 'vitest'
import { keepServing, type KeepServingOptions } from './keep-serving.ts'
import type { PetalsProcess, ServerExit } from './petals-process.ts'
import type { ServerState } from './server-state.ts'

const timing = { firstPauseMs: 1, longestPauseMs: 4, steadyMs: 60_000, leaveMs: 10, maxAttempts: 4 }
const crash = (...lastLines: string[]): ServerExit => ({ code: 1, signal: null, lastLines })

/** Servers that end as described, one after the other; the last one runs until `leave` is called. */
function scripted(exits: readonly (ServerExit & { readonly served?: boolean })[]) {
  const starts: number[] = []
  const left: number[] = []
  const start: KeepServingOptions['start'] = (onEvent, restarts) => {
    starts.push(restarts)
    const exit = exits[restarts]
    if (exit === undefined || exit.served === true) {
      onEvent({ kind: 'started' })
      onEvent({ kind: 'tokens', prompt: 0, generated: 2 })
    }
    const end = Promise.withResolvers<ServerExit>()
    if (exit !== undefined) end.resolve(exit)
    const server: PetalsProcess = {
      group: 1,
      exited: end.promise,
      running: () => exit === undefined,
      signal: () => {},
      leave: (ms) => {
        left.push(ms)
        end.resolve(crash())
        return Promise.resolve()
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
    return Promise.resolve(server)
  }
  return { start, starts, left }
}

function keep(exits: Parameters<typeof scripted>[0]) {
  const servers = scripted(exits)
  const stop = new AbortController()
  const states: ServerState[] = []
  const notes: string[] = []
  const pauses: number[] = []
  const done = keepServing({
    start: servers.start,
    onState: (state) => {
      states.push(state)
      if (state.phase === 'serving' && servers.starts.length > exits.length && state.generated % 2 === 0)
        setImmediate(() => stop.abort())
    },
    onRestart: ({ message }, pauseMs) => {
      notes.push(message)
      pauses.push(pauseMs)
    },
    signal: stop.signal,
    timing,
  })
  return { ...servers, done, states, notes, pauses }
}

describe('keepServing', () => {
  it('restarts a server that crashed, after longer and longer pauses, and keeps its token count', async () => {
    const kept = keep([{ ...crash('ValueError: odd'), served: true }, crash('ValueError: odd'), crash()])
    await kept.done
    expect(kept.starts).toEqual([0, 1, 2, 3])
    expect(kept.pauses).toEqual([1, 2, 4])
    expect(kept.notes[0]).toContain('ValueError: odd')
    expect(kept.states.at(-1)).toMatchObject({ generated: 4 })
    expect(kept.left).toEqual([10])
  })

  it('gives up with the reason if another start would fail in the same way', async () => {
    const kept = keep([crash('torch.cuda.OutOfMemoryError: CUDA out of memory')])
    await expect(kept.done).rejects.toThrow(/GPU's memory is full/)
    expect(kept.starts).toEqual([0])
  })

  it('gives up on a first start that fails for an unknown reason', async () => {
    await expect(keep([crash('ValueError: odd')]).done).rejects.toThrow(
      /ended with exit code 1: ValueError: odd/,
    )
  })

  it('waits for an unreachable network, but not for ever', async () => {
    const offline = crash('ConnectionError: Max retries exceeded')
    await keep([offline, offline]).done
    await expect(keep([offline, offline, offline, offline]).done).rejects.toThrow(/network/)
  })
})
