import { describe, expect, it, vi } from 'vitest'
import { abortable } from './abort.ts'

describe('abortable', () => {
  it('settles as the promise does', async () => {
    expect(await abortable(Promise.resolve(1), undefined)).toBe(1)
    expect(await abortable(Promise.resolve(1), new AbortController().signal)).toBe(1)
    await expect(abortable(Promise.reject(new Error('no')), new AbortController().signal)).rejects.toThrow(
      'no',
    )
  })

  it('rejects with the reason of a signal that aborts before or during the wait', async () => {
    const never = new Promise<void>(() => {})
    const signal = AbortSignal.abort(new Error('early'))
    await expect(abortable(never, signal)).rejects.toBe(signal.reason)
    const controller = new AbortController()
    const waiting = abortable(never, controller.signal)
    controller.abort('late')
    await expect(waiting).rejects.toBe('late')
  })

  it('leaves no listener behind', async () => {
    const { signal } = new AbortController()
    const add = vi.spyOn(signal, 'addEventListener')
    const remove = vi.spyOn(signal, 'removeEventListener')
    await abortable(Promise.resolve(), signal)
    expect(add).toHaveBeenCalledOnce()
    expect(remove).toHaveBeenCalledWith('abort', add.mock.calls[0]![1])
  })
})
